import { errors, type FieldError, type PublicError } from "../errors/errors.js";
import { worded } from "../errors/openai-error.js";
import { escapeControls } from "../log.js";

/** Caps on the fields that are named, and on the line's characters. */
const MOST_FIELDS = 5;
const LONGEST = 300;
/** Types of field errors whose messages may quote the request's value. */
const quoting = new Set(["value_error", "unsupported"]);

/**
 * The client's error as one bounded log line: `422, body.max_tokens: Input should be a valid integer`. With
 * `hidesPrompts` it quotes nothing of the request.
 * @param inner details for the operator that the client doesn't get
 */
export function refusalLine(error: PublicError, path: string, hidesPrompts = false, inner = ""): string {
  const reason = reasonOf(error, hidesPrompts) + (inner === "" || hidesPrompts ? "" : `: ${inner}`);
  return `${worded(error, path).status}, ${bounded(reason, LONGEST)}`;
}

/** A client's text made fit for a log line: control characters escaped, at most `most` characters and "…". */
export function bounded(text: string, most: number): string {
  const escaped = escapeControls(text.slice(0, most + 1));
  return escaped.length > most ? `${escaped.slice(0, most)}…` : escaped;
}

function reasonOf({ code, body: { detail } }: PublicError, hidesPrompts: boolean): string {
  if (!Array.isArray(detail)) return hidesPrompts ? errors[code].detail : detail;
  const told = detail.slice(0, MOST_FIELDS).map((field) => reasonOfField(field, hidesPrompts));
  return told.join("; ") + (detail.length > MOST_FIELDS ? "; …" : "");
}

function reasonOfField({ loc, msg, type }: FieldError, hidesPrompts: boolean): string {
  // Names below a top-level field may be the request's own, like the tokens in logit_bias.
  const path = hidesPrompts ? loc.filter((part, at) => at < 2 || typeof part === "number") : loc;
  return `${path.join(".")}: ${hidesPrompts && quoting.has(type) ? type : msg}`;
}
