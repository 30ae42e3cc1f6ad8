import type { ErrorCode, FieldError, PublicError } from "./errors.js";

/** The body of an error in OpenAI's form. */
export interface OpenAiError {
  error: { message: string; type: string; param: string | null; code: string | null };
}

/** All paths under /v1 follow OpenAI's API, and no others. */
export function isOpenAiPath(path: string): boolean {
  return path === "/v1" || path.startsWith("/v1/");
}

/** An error in the form of the API that the path belongs to: OpenAI's under /v1, else FastAPI's. */
export function worded(error: PublicError, path: string): { status: number; body: object } {
  return isOpenAiPath(path)
    ? { status: openAiStatus(error), body: openAiError(error) }
    : { status: error.status, body: error.body };
}

/** OpenAI's API has no 422. */
export function openAiStatus({ status }: PublicError): number {
  return status === 422 ? 400 : status;
}

export function openAiError(error: PublicError): OpenAiError {
  const { detail } = error.body;
  if (Array.isArray(detail)) return { error: { ...ofFields(detail), type: "invalid_request_error" } };
  const type = types[error.status] ?? (error.status < 500 ? "invalid_request_error" : "server_error");
  const code = codes[error.code] ?? codesOfStatus[error.status] ?? error.code;
  return { error: { message: detail, type, param: parameters[error.code] ?? null, code } };
}

const types: Readonly<Record<number, string>> = { 429: "rate_limit_error" };

/** Our errors for which OpenAI has another code. */
const codes: Readonly<Partial<Record<ErrorCode, string>>> = {
  not_found: "unknown_url",
  method_not_allowed: "method_not_supported",
};

const codesOfStatus: Readonly<Record<number, string>> = {
  401: "invalid_api_key",
  429: "rate_limit_exceeded",
};

/** Errors that are always about the same field. */
const parameters: Readonly<Partial<Record<ErrorCode, string>>> = { model_not_found: "model" };

/** Cap on listed errors. */
const MOST_FIELDS = 5;

function ofFields(fields: readonly FieldError[]) {
  const [first] = fields as [FieldError, ...FieldError[]];
  return {
    message: fields.slice(0, MOST_FIELDS).map(sentence).join(" "),
    // Invalid JSON has a position in the text, not a field.
    param: first.type === "json_invalid" ? null : name(first),
    code: codeOf(first),
  };
}

function sentence(field: FieldError): string {
  const { type, msg, loc, ctx } = field;
  if (type === "json_invalid")
    return `The body is not valid JSON: ${ctx?.error ?? msg} at character ${loc[1]}.`;
  const at = name(field) ?? "body";
  if (type === "missing") return `Missing required parameter: '${at}'.`;
  return `Invalid '${at}': ${msg.replace(/^Value error, /, "")}.`;
}

/** `messages[0].content`; null for the body as a whole. */
function name({ loc }: FieldError): string | null {
  const [, ...path] = loc;
  if (path.length === 0) return null;
  return path
    .map((part, at) => (typeof part === "number" ? `[${part}]` : at > 0 ? `.${part}` : part))
    .join("");
}

function codeOf({ type }: FieldError): string {
  const exact: Record<string, string> = {
    missing: "missing_required_parameter",
    json_invalid: "invalid_json",
    string_too_long: "string_above_max_length",
    string_too_short: "string_below_min_length",
    too_long: "array_above_max_length",
    too_short: "array_below_min_length",
    unsupported: "unsupported_parameter",
  };
  return exact[type] ?? (/_(type|parsing|from_float)$/.test(type) ? "invalid_type" : "invalid_value");
}
