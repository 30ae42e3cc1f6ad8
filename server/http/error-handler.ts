import type { ErrorRequestHandler, Request, Response } from "express";
import { errors, HttpError, invalidBody, invalidGrammar } from "../errors/errors.js";
import { type Finding, fieldError } from "../errors/field-error.js";
import { worded } from "../errors/openai-error.js";
import type { Log } from "../log.js";
import { FormRefused, GenerationFailed, WorkerLost } from "../pool/pool.js";
import { DeadlineExceeded } from "../queue/deadlines.js";
import { NeverFits, QueueRefusal, Removed } from "../queue/refusal.js";
import { EventStream } from "../streams/event-stream.js";
import { bounded, refusalLine } from "./refusal-line.js";
import { requestId } from "./request-id.js";

const LONGEST_PATH = 100;

/** The one place where an error becomes a response, and a line of the log. */
export function answerErrors(log: Log): ErrorRequestHandler {
  return (thrown: unknown, req, res, next) => {
    const error = toHttpError(thrown, req.body);
    logError(log, { thrown, error, req, res });
    const events = EventStream.of(res);
    if (events) return events.fail(error);
    // Too late for another answer: Express ends the connection, which tells the client.
    if (res.headersSent) return next(thrown);
    const { status, body } = worded(error, req.path);
    res.status(status).set(error.headers).json(body);
  };
}

interface Failure {
  thrown: unknown;
  error: HttpError;
  req: Request;
  res: Response;
}

function logError(log: Log, { thrown, error, req, res }: Failure): void {
  const id = requestId(res);
  if (thrown instanceof Removed && req.socket.destroyed) {
    log.info(`${id} - cancelled`, { id });
    return;
  }
  const { method } = req;
  const path = bounded(req.path, LONGEST_PATH);
  const told = refusalLine(error, req.path, log.hidesPrompts, innerMessage(thrown));
  const stack = error.code === "internal" ? ` ${stackOf(thrown, log.hidesPrompts)}` : "";
  log[error.status === 500 ? "error" : "info"](`${id} - ${method} ${path}: ${told}${stack}`, {
    id,
    method,
    path,
    status: worded(error, req.path).status,
  });
}

/** What the operator alone is told of what went wrong in a worker. */
export function innerMessage(thrown: unknown): string {
  return thrown instanceof WorkerLost || thrown instanceof GenerationFailed ? thrown.message : "";
}

/** What a client is told of what was thrown at this body. */
export function toHttpError(thrown: unknown, body?: unknown): HttpError {
  if (thrown instanceof HttpError) return thrown;
  if (thrown instanceof QueueRefusal)
    return new HttpError(thrown.reason, { "Retry-After": String(thrown.retryAfter) });
  if (thrown instanceof NeverFits)
    return invalidBody({ loc: ["body"], msg: `Value error, ${thrown.message}`, type: "value_error" });
  if (thrown instanceof DeadlineExceeded) return deadlineExceeded(thrown);
  // A client that is still there to read this can only have lost its place to the end of a drain.
  if (thrown instanceof Removed) return new HttpError("draining", { "Retry-After": "1" });
  if (thrown instanceof WorkerLost) return new HttpError("worker_lost");
  if (thrown instanceof FormRefused) return invalidGrammar(thrown.message);
  if (thrown instanceof GenerationFailed) return new HttpError("generation_failed");
  const { status, errors: findings } = thrown as ValidationError;
  if (status === 400 && Array.isArray(findings))
    return invalidBody(...findings.map((finding) => fieldError(finding, body)));
  return new HttpError("internal");
}

function deadlineExceeded({ deadline, seconds }: DeadlineExceeded): HttpError {
  const what = {
    queue: "waiting for a slot",
    firstToken: "the first token",
    stall: "the next token",
    total: "the whole answer",
  }[deadline];
  return new HttpError(
    "deadline_exceeded",
    {},
    `${errors.deadline_exceeded.detail}: ${seconds} s for ${what}`,
  );
}

/** What express-openapi-validator throws. */
interface ValidationError {
  status?: number;
  errors?: Finding[];
}

/** An error's name, its message, which may quote a prompt, and where it was thrown. */
function stackOf(thrown: unknown, hidesPrompts = false): string {
  if (!(thrown instanceof Error)) return hidesPrompts ? typeof thrown : String(thrown);
  const { name, message, stack = "" } = thrown;
  if (!hidesPrompts) return stack || message;
  return name + stack.slice(stack.indexOf(message) + message.length);
}
