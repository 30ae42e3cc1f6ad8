import { positiveInteger, readArgs, UsageError, unexpected } from "../settings/args.js";
import { type Flags, jsonFlag, usageOf } from "./command.js";
import { ask, notJai } from "./server/ask.js";
import { readServer, type Server, serverFlags } from "./server/server.js";
import { endWithReader, say, sayJson } from "./terminal/output.js";
import { type Styles, stylesOf } from "./terminal/styles.js";
import { counted, duration, thousands } from "./terminal/units.js";
import { visible, visibleLine } from "./terminal/visible.js";
import { pad, table } from "./terminal/width.js";

const STATES = ["queued", "running", "done", "failed", "cancelled"] as const;

export const flags = {
  ...serverFlags,
  state: { type: "string", value: STATES.join("|"), description: "list only those of one state" },
  limit: { type: "string", value: "N", description: "list at most so many, the newest first; default 20" },
  ...jsonFlag,
} as const satisfies Flags;

export const argument = "list|show|cancel|remove";

export const usage = usageOf("jobs [list|show ID|cancel ID|remove ID] [FLAGS]", flags, {
  rows: [
    ["list", "the jobs of this API key, without a word too"],
    ["show ID", "a job, with its answer"],
    ["cancel ID", "end a job that is queued or running"],
    ["remove ID", "delete a job that is done or has failed, with its answer"],
  ],
});

/** The part of openapi.yaml's `Job` that is shown. */
interface Job {
  id: string;
  endpoint: string;
  state: (typeof STATES)[number];
  priority: number;
  attempts: number;
  created_at: string;
  started_at: string | null;
  ended_at: string | null;
  expires_at: string | null;
  position?: number | null;
  progress?: { tokens: number; max_tokens: number };
  error?: { detail?: unknown };
  result?: Record<string, unknown>;
}

/** @throws an error with a one-line message */
export async function run(args: string[]): Promise<void> {
  const { values, positionals } = readArgs({ args, options: flags, allowPositionals: true });
  const [action = "list", id, ...more] = positionals;
  const isList = action === "list";
  if (!argument.split("|").includes(action)) throw new UsageError(`expected ${argument}, got ${action}`);
  if (more.length > 0 || (id === undefined) !== isList)
    throw new UsageError(`${action}: expected ${isList ? "nothing after it" : "the id of one job"}`);
  const server = readServer(values);
  endWithReader();
  if (id === undefined) return list(server, values);
  const path = `jobs/${encodeURIComponent(id)}`;
  const job = readJob(server, await ask(server, path));
  if (action === "show") return values.json ? sayJson(job) : show(job);
  await (action === "cancel" ? cancel(server, path, job) : remove(server, path, job));
  if (values.json) sayJson({ id: job.id, [action === "cancel" ? "cancelled" : "removed"]: true });
  else say(`${action === "cancel" ? "cancelled" : "removed"} ${visibleLine(job.id)}`);
}

function readJob(server: Server, value: unknown): Job {
  const job = (value ?? {}) as Job;
  const texts = [job.id, job.state, job.endpoint, job.created_at];
  if (!texts.every((text) => typeof text === "string")) throw notJai(server);
  return job;
}

const isActive = ({ state }: Job) => state === "queued" || state === "running";

async function cancel(server: Server, path: string, job: Job): Promise<void> {
  // DELETE would remove a job that has ended.
  if (!isActive(job)) throw new Error(`the job has ended already: ${job.state}`);
  await ask(server, path, { method: "DELETE" });
}

async function remove(server: Server, path: string, job: Job): Promise<void> {
  if (isActive(job)) throw new Error(`the job is ${job.state}; jai jobs cancel ends it`);
  // To the server a second DELETE of a cancelled job is the same as the first.
  if (job.state === "cancelled")
    throw new Error(`a cancelled job can't be removed; the server drops it at ${job.expires_at}`);
  await ask(server, path, { method: "DELETE" });
}

const USUAL = 20;
/** The server's own limit for one answer. */
const MOST_AT_ONCE = 100;

/** The newest jobs, asked for page by page. */
async function upTo(most: number, server: Server, state: string | undefined) {
  const jobs: Job[] = [];
  let next: string | null = null;
  do {
    const query = new URLSearchParams({
      ...(state !== undefined && { state }),
      ...(next !== null && { cursor: next }),
      limit: String(Math.min(MOST_AT_ONCE, most - jobs.length)),
    });
    const page = (await ask(server, `jobs?${query}`)) as { jobs?: unknown; next_cursor?: string | null };
    if (!Array.isArray(page.jobs)) throw notJai(server);
    jobs.push(...page.jobs.map((job) => readJob(server, job)));
    // Nothing follows an empty page, whatever it says.
    next = page.jobs.length === 0 ? null : (page.next_cursor ?? null);
  } while (next !== null && jobs.length < most);
  return { jobs, next_cursor: next };
}

async function list(
  server: Server,
  { state, limit, json }: { state?: string; limit?: string; json?: boolean },
): Promise<void> {
  if (state !== undefined && !STATES.some((one) => one === state))
    throw unexpected("state", STATES.join(", "), state);
  const most = limit === undefined ? USUAL : positiveInteger("limit", limit);
  const answer = await upTo(most, server, state);
  if (json) return sayJson(answer);
  const { jobs } = answer;
  if (jobs.length === 0) return say("no jobs");
  const styles = stylesOf(process.stdout);
  const rows = jobs.map((job) => [job.id, job.state, job.endpoint, age(job.created_at), standingOf(job)]);
  const [head, ...lines] = table([
    ["ID", "STATE", "ENDPOINT", "CREATED", ""],
    ...rows.map((row) => row.map(visibleLine)),
  ]);
  say(styles.bold(head!));
  for (const [at, line] of lines.entries()) say(coloured(line, jobs[at]!, styles));
  if (answer.next_cursor) say(styles.dim("there are more; --limit N shows them"));
}

function coloured(line: string, { state }: Job, styles: Styles): string {
  if (state === "failed") return styles.red(line);
  if (state === "running") return styles.green(line);
  return state === "cancelled" ? styles.dim(line) : line;
}

function standingOf({ position, progress, error }: Job): string {
  if (progress) return `${thousands(progress.tokens)} of at most ${counted(progress.max_tokens, "token")}`;
  if (position) return `position ${position} in the queue`;
  return error ? errorOf(error) : "";
}

const errorOf = ({ detail }: NonNullable<Job["error"]>) =>
  typeof detail === "string" ? detail : JSON.stringify(detail);

function show(job: Job): void {
  const { result, error } = job;
  const styles = stylesOf(process.stdout);
  const rows = {
    id: job.id,
    state: job.state,
    endpoint: job.endpoint,
    created: `${job.created_at} (${age(job.created_at)})`,
    ...(job.started_at && { started: job.started_at }),
    ...(job.ended_at && { ended: job.ended_at }),
    ...(job.expires_at && { expires: job.expires_at }),
    attempts: String(job.attempts),
    priority: String(job.priority),
    ...(standingOf(job) !== "" && !error && { standing: standingOf(job) }),
    ...(error && { error: errorOf(error) }),
  };
  for (const [name, value] of Object.entries(rows)) say(`${styles.dim(pad(name, 8))}  ${visibleLine(value)}`);
  if (result) for (const text of textsOf(result)) say(`\n${visible(text)}`);
}

/** The texts of an answer in the server's own form or in OpenAI's. */
function textsOf({ generated, choices }: Record<string, unknown>): string[] {
  type Choice = { generated?: string; text?: string; message?: { content: string } };
  if (!Array.isArray(choices)) return [String(generated ?? "")];
  return (choices as Choice[]).map((one) => one.message?.content ?? one.text ?? one.generated ?? "");
}

const age = (time: string) => `${duration(Math.max(0, (Date.now() - Date.parse(time)) / 1000))} ago`;
