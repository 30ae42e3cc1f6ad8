import type { ErrorRequestHandler, Request, Response } from "express";
import { invalidBodyOf, type PublicError, publicError } from "../errors/errors.js";
import { fieldError } from "../errors/field-error.js";
import { worded } from "../errors/openai-error.js";
import type { Log } from "../log.js";
import { EventStream } from "../streams/event-stream.js";
import type { Document } from "./document.js";
import { refusalLine } from "./refusal-line.js";
import { summaryOf } from "./summarize.js";
import { validationFindings } from "./validation-findings.js";

/** The one place that turns an error into a response, and into the log line at its end. */
export function answerErrors(log: Log, document: Document): ErrorRequestHandler {
  return (thrown: unknown, req, res, next) => {
    const error = toPublicError(thrown, req, document);
    summarizeError(log, { thrown, error, req, res });
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

function summarizeError({ hidesPrompts }: Log, { thrown, error, req, res }: Failure): void {
  // The client has left, which cancelled its request.
  if (error.code === "shutting_down" && req.socket.destroyed) return;
  const { code, inner } = error;
  const stack = code === "internal" ? ` ${stackOf(thrown, hidesPrompts)}` : "";
  const told = refusalLine(error, req.path, hidesPrompts, inner);
  Object.assign(summaryOf(res), { status: worded(error, req.path).status, error: { code, told, stack } });
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
