import { randomUUID } from "node:crypto";
import type { IRouter, Request, RequestHandler, Response } from "express";
import { invalidBody, invalidField, PublicError } from "../errors/errors.js";
import type { Forms } from "../forms/forms.js";
import type { BodySchemas } from "../http/body-schemas.js";
import { quote } from "../http/quote.js";
import { summaryOf } from "../http/summarize.js";
import type { Idempotency } from "../idempotency/idempotency.js";
import type { Dispatcher } from "../jobs/dispatcher.js";
import { isActive, type Job, type JobState } from "../jobs/job.js";
import type { JobDocuments } from "../jobs/job-documents.js";
import type { JobStandings } from "../jobs/job-standings.js";
import { JobStream, readEventId } from "../jobs/job-stream.js";
import { type Jobs, JobsFull } from "../jobs/jobs.js";
import { callerOf, hasValidKey } from "../keys/authenticate.js";
import type { Caller } from "../keys/caller.js";
import type { Callers } from "../keys/callers.js";
import type { Log } from "../log.js";
import type { Outcome, Task } from "../pool/pool.js";
import type { Queue } from "../queue/queue.js";
import { Cancelled, QueueRefusal } from "../queue/refusal.js";
import { assertFits } from "../requests/generation.js";
import type { GenerationRequest, Operation } from "../requests/operation.js";
import { randomSeed } from "../requests/seed.js";
import type { Space } from "../store/space.js";
import type { EventStreamOptions } from "../streams/event-response.js";
import type { Texts } from "../texts/texts.js";
import { checkCallbackUrl, type PrivateAddresses } from "../webhooks/callback-request.js";

export interface JobRoutesParts {
  operations: readonly Operation[];
  jobs: Jobs;
  space: Pick<Space, "retryAfter">;
  documents: JobDocuments;
  callers: Callers;
  standings: JobStandings;
  dispatcher: Dispatcher;
  idempotency: Idempotency;
  /** Null if this server sends no callbacks. */
  callbackAddresses: PrivateAddresses | null;
  queue: Queue<Task, Outcome>;
  forms: Pick<Forms, "check">;
  texts: Pick<Texts, "reader">;
  bodies: BodySchemas;
  log: Log;
  streams?: EventStreamOptions | undefined;
}

/** A generating operation's body, with a job's own fields. */
interface JobBody {
  endpoint?: string | null;
  callback_url?: string | null;
  priority?: number | null;
  seed?: number | null;
  stream?: unknown;
  stream_options?: unknown;
  prompt?: unknown;
  messages?: unknown;
}

interface JobQuery {
  state?: JobState;
  endpoint?: string;
  since?: string;
  cursor?: string;
  limit?: number;
}

export function jobRoutes(app: IRouter, parts: JobRoutesParts): void {
  app.post("/jobs", accept(parts));
  app.get("/jobs", list(parts));
  app.get("/jobs/:id", async (req, res) => {
    res.json((await parts.documents.whole(find(parts, req, res))) ?? notFound());
  });
  app.delete("/jobs/:id", cancel(parts));
  app.get("/jobs/:id/events", stream(parts));
}

/** A job's operation and the body for it. */
interface Call {
  operation: Operation;
  body: object;
  callbackUrl: string | null;
}

/** @throws PublicError if the operation would refuse the body */
function readCall(given: JobBody, { operations, callbackAddresses, bodies }: JobRoutesParts): Call {
  const { endpoint, callback_url, stream: _stream, stream_options: _options, ...rest } = given;
  const paths = operations.map(({ path }) => path);
  const path = endpoint ?? (rest.messages === undefined ? "/generate" : "/v1/chat/completions");
  const operation = operations.find((one) => one.path === path);
  if (operation === undefined) throw invalidField(["endpoint"], `expected one of ${paths.join(", ")}`);
  if (callback_url != null) checkCallback(callback_url, callbackAddresses);
  // The job stores its seed, so that a second run gives the same text.
  const body = { ...rest, seed: rest.seed ?? randomSeed() };
  bodies.hold(path, body);
  return { operation, body, callbackUrl: callback_url ?? null };
}

function checkCallback(url: string, addresses: PrivateAddresses | null): void {
  if (addresses === null)
    throw invalidField(
      ["callback_url"],
      "this server sends no callbacks, since it has no JAI_CALLBACK_SECRET",
    );
  const wrong = checkCallbackUrl(url, addresses);
  if (wrong !== null) throw invalidField(["callback_url"], wrong);
}

function accept(parts: JobRoutesParts): RequestHandler {
  const { jobs, documents, idempotency, log } = parts;
  return async (req, res) => {
    const caller = callerOf(res);
    const { operation, body, callbackUrl } = readCall(req.body as JobBody, parts);
    checkArrival(req, parts, caller);
    const id = randomUUID();
    let answer: object | null = null;
    try {
      // `whileArriving` reserves room for the job before the prompt is tokenized.
      const request = await jobs.whileArriving(caller.name, () =>
        check(operation.parse(body), id, req, parts, caller),
      );
      // Check again: compiling the form may have taken a while.
      checkArrival(req, parts, caller);
      const accepted = {
        id,
        caller: caller.name,
        endpoint: operation.path,
        body,
        priority: caller.priorityFor(request.priority),
        maxTokens: request.sequences * request.maxTokens,
        callbackUrl,
        trace: summaryOf(res).traceContext,
      };
      res.status(202).set("Location", `/jobs/${id}`);
      await jobs.accept(accepted, (job) => {
        answer = documents.summary(job);
        return idempotency.keep(res, answer);
      });
    } catch (error) {
      res.status(200).removeHeader("Location");
      throw error instanceof JobsFull ? refusal(error, caller.name, parts) : error;
    }
    log.info(`${id} - job accepted for ${operation.path}${quote(body, log)}`, { id, path: operation.path });
    res.json(answer);
  };
}

function refusal({ reason }: JobsFull, caller: string, { standings, space }: JobRoutesParts): PublicError {
  // No Retry-After for a full store: nobody knows whose record expires next.
  if (reason === "store_full") return new PublicError(reason);
  if (reason === "jobs_full") return new PublicError(reason, { retryAfter: standings.retryAfter() });
  const isStore = reason === "caller_store_full";
  return new PublicError(reason, {
    retryAfter: isStore ? space.retryAfter(caller) : standings.retryAfterOf(caller),
  });
}

/** @throws PublicError if no job can be accepted now */
function checkArrival({ socket }: Request, { queue }: JobRoutesParts, { name, priority }: Caller): void {
  // When a client disconnects, its Idempotency-Key is free again: the retry would create the job a second time.
  if (socket.destroyed) throw new Cancelled();
  if (queue.state === "draining")
    throw new QueueRefusal("shutting_down", queue.retryAfter({ caller: name, priority }));
}

/** @throws PublicError for a request that could never run */
async function check(
  request: GenerationRequest,
  id: string,
  { socket }: Request,
  { queue, forms, texts }: JobRoutesParts,
  caller: Caller,
): Promise<GenerationRequest> {
  const leaving = new AbortController();
  const leave = () => leaving.abort(new Cancelled());
  // A client may pipeline many jobs, each of which listens while its form is compiled.
  socket.setMaxListeners(0);
  socket.once("close", leave);
  try {
    await assertFits({ queue, forms, texts, request, id, caller }, leaving.signal);
    return request;
  } finally {
    socket.off("close", leave);
  }
}

function list({ jobs, documents }: JobRoutesParts): RequestHandler {
  return (req, res) => {
    const { state, endpoint, since, cursor, limit = 20 } = req.query as unknown as JobQuery;
    const found = jobs.list(callerOf(res).name, {
      state,
      endpoint,
      since: since === undefined ? undefined : Date.parse(since),
      before: cursor === undefined ? undefined : Number.parseInt(cursor, 36),
      limit,
    });
    const last = found.jobs.at(-1);
    res.json({
      jobs: found.jobs.map((job) => documents.summary(job)),
      next_cursor: found.more && last ? last.order.toString(36) : null,
    });
  };
}

function cancel(parts: JobRoutesParts): RequestHandler {
  const { jobs, documents, dispatcher, log } = parts;
  return async (req, res) => {
    const job = find(parts, req, res);
    if (isActive(job) || job.state === "cancelled") {
      await dispatcher.cancel(job);
      log.info(`${job.id} - job cancelled`, { id: job.id });
      res.json(documents.summary(job));
    } else {
      await jobs.forget(job);
      log.info(`${job.id} - job removed`, { id: job.id });
      res.sendStatus(204);
    }
  };
}

function stream(parts: JobRoutesParts): RequestHandler {
  const { jobs, documents, callers, streams } = parts;
  const followers = new Map<Request, JobStream>();
  // Whoever lost the key must not read on.
  callers.on("replaced", () => {
    for (const [req, follower] of followers) if (!hasValidKey(callers, req)) follower.end();
  });
  return (req, res) => {
    const job = find(parts, req, res);
    const last = req.get("Last-Event-ID");
    const from = last === undefined || last === "" ? [] : readEventId(last);
    if (from === null) {
      const msg = "Value error, expected the id of an event of this job";
      throw invalidBody({ loc: ["headers", "last-event-id"], msg, type: "value_error" });
    }
    // 204 tells an EventSource to stop reconnecting: it has all events.
    if (from === "end") return void res.sendStatus(204);
    // Express routes HEAD to this handler too, but a HEAD has no stream to follow.
    if (req.method === "HEAD") return void res.type("text/event-stream").end();
    const follower = new JobStream({
      res,
      jobs,
      job,
      from,
      document: async () => (await documents.whole(job)) ?? documents.summary(job),
      standing: () => documents.standing(job),
      ...streams,
    });
    followers.set(req, follower);
    res.once("close", () => followers.delete(req));
  };
}

function find({ jobs }: JobRoutesParts, req: Request, res: Response): Job {
  return jobs.find(callerOf(res).name, req.params.id as string) ?? notFound();
}

function notFound(): never {
  throw new PublicError("job_not_found");
}
