import { errors, type FieldError, type PublicError } from "../errors/errors.js";
import { worded } from "../errors/openai-error.js";
import { escapeControls } from "../log.js";

/** Cap on the fields that are named, and on the characters of the whole. */
const MOST_FIELDS = 5;
const LONGEST = 300;
/** Messages of these types may quote the value that came. */
const quoting = new Set(["value_error", "unsupported"]);

/**
 * The client's error in one line, for the log: `422, body.max_tokens: Input should be a valid integer`.
 * Bounded, on one line, and with `hidesPrompts` without anything that the request says.
 * @param inner what the client was not told
 */
export function refusalLine(error: PublicError, path: string, hidesPrompts = false, inner = ""): string {
  const reason = reasonOf(error, hidesPrompts) + (inner === "" || hidesPrompts ? "" : `: ${inner}`);
  return `${worded(error, path).status}, ${bounded(reason, LONGEST)}`;
}

/** A text that somebody sent, fit for a line of the log. */
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
  // Below a field a name may be the request's own, as the tokens of logit_bias are.
  const path = hidesPrompts ? loc.filter((part, at) => at < 2 || typeof part === "number") : loc;
  return `${path.join(".")}: ${hidesPrompts && quoting.has(type) ? type : msg}`;
}
