import type { ErrorRequestHandler, Request, Response } from "express";
import { invalidBodyOf, type PublicError, publicError } from "../errors/errors.js";
import { fieldError } from "../errors/field-error.js";
import { worded } from "../errors/openai-error.js";
import type { Log } from "../log.js";
import { EventStream } from "../streams/event-stream.js";
import type { Document } from "./document.js";
import { bounded, refusalLine } from "./refusal-line.js";
import { requestId } from "./request-id.js";
import { validationFindings } from "./validation-findings.js";

const LONGEST_PATH = 100;

/** The one place that turns an error into a response and a log line. */
export function answerErrors(log: Log, document: Document): ErrorRequestHandler {
  return (thrown: unknown, req, res, next) => {
    const error = toPublicError(thrown, req, document);
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
  error: PublicError;
  req: Request;
  res: Response;
}

function logError(log: Log, { thrown, error, req, res }: Failure): void {
  const id = requestId(res);
  if (error.code === "shutting_down" && req.socket.destroyed) {
    log.info(`${id} - cancelled`, { id });
    return;
  }
  const { method } = req;
  const path = bounded(req.path, LONGEST_PATH);
  const told = refusalLine(error, req.path, log.hidesPrompts, error.inner);
  const stack = error.code === "internal" ? ` ${stackOf(thrown, log.hidesPrompts)}` : "";
  log[error.status === 500 ? "error" : "info"](`${id} - ${method} ${path}: ${told}${stack}`, {
    id,
    method,
    path,
    status: worded(error, req.path).status,
  });
}

/** The error that the client gets. */
function toPublicError(thrown: unknown, req: Request, document: Document): PublicError {
  const findings = validationFindings(thrown, req, document);
  if (findings === null) return publicError(thrown);
  const listed = findings.list.map((finding) => fieldError(finding, req.body));
  return invalidBodyOf(listed, findings.unlisted);
}

/** An error's stack. With `hidesPrompts` it lacks the message, which may quote a prompt. */
function stackOf(thrown: unknown, hidesPrompts = false): string {
  if (!(thrown instanceof Error)) return hidesPrompts ? typeof thrown : String(thrown);
  const { name, message, stack = "" } = thrown;
  if (!hidesPrompts) return stack || message;
  return name + stack.slice(stack.indexOf(message) + message.length);
}
