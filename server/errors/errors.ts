/**
 * Every error that a client can get: its status and the body's `detail`. openapi.yaml has one example for each, under
 * the same name; a test keeps the two alike.
 */
export const errors = {
  malformed_request: { status: 400, detail: "The request is not valid HTTP" },
  malformed_url: { status: 400, detail: "The URL is malformed" },
  unreadable_body: { status: 400, detail: "There was an error parsing the body" },
  unauthorized: {
    status: 401,
    detail: "Expected a valid API key, as Authorization: Bearer KEY or as X-API-Key",
  },
  over_quota: { status: 403, detail: "The request may use more tokens than this key's limits ever allow" },
  no_chat_template: {
    status: 400,
    detail:
      "This model has no chat template: use /generate or /v1/completions, or import it again with --chat-template",
  },
  invalid_grammar: { status: 400, detail: "No text can be held to the form that was asked for" },
  context_length_exceeded: { status: 400, detail: "The text is longer than the model's context" },
  not_found: { status: 404, detail: "Not Found" },
  model_not_found: { status: 404, detail: "The model does not exist" },
  job_not_found: { status: 404, detail: "There is no such job" },
  method_not_allowed: { status: 405, detail: "Method Not Allowed" },
  request_timeout: { status: 408, detail: "The request took too long to arrive" },
  idempotency_conflict: { status: 409, detail: "The Idempotency-Key came with another request before" },
  body_too_large: { status: 413, detail: "The body is larger than this server takes" },
  unsupported_media_type: { status: 415, detail: "Expected a body of type application/json" },
  unsupported_charset: { status: 415, detail: "Expected a body in UTF-8" },
  unsupported_encoding: { status: 415, detail: "Expected a body without Content-Encoding" },
  expectation_failed: { status: 417, detail: "The server cannot do what the Expect header asks for" },
  misdirected: {
    status: 421,
    detail:
      "The Host header names another server; JAI_ALLOWED_HOSTS lists the names that this one answers to",
  },
  invalid_body: { status: 422, detail: "The body is not what the operation takes" },
  rate_limited: { status: 429, detail: "This key's requests of a minute are used up" },
  tokens_limited: { status: 429, detail: "This key's tokens of a minute are used up or held" },
  quota_used_up: { status: 429, detail: "This key's tokens of a day are used up or held" },
  concurrency_limited: { status: 429, detail: "This key already runs as many requests at once as it may" },
  headers_too_large: { status: 431, detail: "The headers are larger than this server takes" },
  caller_queue_full: { status: 429, detail: "This caller's share of the queue is full" },
  caller_jobs_full: { status: 429, detail: "This caller's share of the waiting jobs is taken" },
  caller_store_full: { status: 429, detail: "This caller's share of the store of jobs and answers is full" },
  caller_watchers_full: {
    status: 429,
    detail: "This caller's share of the streams of the server's state is taken",
  },
  caller_texts_full: { status: 429, detail: "This caller's share of the tokenizing is taken" },
  internal: { status: 500, detail: "Internal Server Error" },
  generation_failed: { status: 500, detail: "The generation failed" },
  job_interrupted: { status: 500, detail: "The job was interrupted too often" },
  worker_lost: { status: 500, detail: "The worker that ran this request was lost" },
  record_damaged: { status: 500, detail: "A stored record is damaged and cannot be used" },
  jobs_full: { status: 503, detail: "Too many jobs are waiting" },
  queue_full: { status: 503, detail: "The queue is full" },
  overloaded: { status: 503, detail: "The server has no room for this request at the moment" },
  memory_limited: { status: 503, detail: "Memory is short: no new work is accepted just now" },
  model_loading: { status: 503, detail: "The model is loading" },
  not_ready: { status: 503, detail: "No worker can generate just now" },
  shutting_down: { status: 503, detail: "The server is shutting down" },
  deadline_exceeded: { status: 504, detail: "The request's deadline has passed" },
  store_full: { status: 507, detail: "The store of jobs and answers is full" },
  store_unwritable: { status: 507, detail: "The store of jobs and answers cannot be written now" },
} as const;

export type ErrorCode = keyof typeof errors;

/** One entry of a 422's `detail`, in the form of FastAPI and pydantic 2. */
export interface FieldError {
  /** Where the body is wrong: `["body", "max_tokens"]`. */
  loc: (string | number)[];
  msg: string;
  type: string;
  ctx?: Record<string, unknown>;
}

export interface PublicErrorOptions {
  /** Replaces the table's text: with a more detailed one, or with the wrong fields for `invalid_body`. */
  detail?: string | FieldError[];
  /** Whole seconds after which a retry may succeed; becomes `Retry-After`. */
  retryAfter?: number;
  headers?: Readonly<Record<string, string>>;
  /** Details for the operator: go to the log only. */
  inner?: string;
}

/** An error that clients see. Any other thrown value reaches them as `internal`. */
export class PublicError extends Error {
  override name = "PublicError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly retryAfter: number | undefined;
  /** The response's body. */
  readonly body: { detail: string | FieldError[] };
  readonly inner: string;

  constructor(code: ErrorCode, options: PublicErrorOptions = {}) {
    const { detail = errors[code].detail, retryAfter, headers = {}, inner = "" } = options;
    super(
      inner || (typeof detail === "string" ? detail : detail.map(({ msg }) => withoutKind(msg)).join("; ")),
    );
    this.code = code;
    this.status = errors[code].status;
    this.headers = { ...headers, ...(retryAfter !== undefined && { "Retry-After": String(retryAfter) }) };
    this.retryAfter = retryAfter;
    this.body = { detail };
    this.inner = inner;
  }
}

/** Drops the prefix that pydantic puts before a message. */
const withoutKind = (message: string) => message.replace(/^Value error, /, "");

/** The error that the client gets for a thrown value. */
export function publicError(thrown: unknown): PublicError {
  return thrown instanceof PublicError ? thrown : new PublicError("internal");
}

/** Cap on listed errors: a body has room for a hundred thousand. */
export const MOST_LISTED = 20;

export function invalidBody(...fields: FieldError[]): PublicError {
  const listed = fields.slice(0, MOST_LISTED);
  return invalidBodyOf(listed, fields.length - listed.length);
}

/** @param unlisted how many more errors there are than those listed; they are told as a number */
export function invalidBodyOf(listed: readonly FieldError[], unlisted: number): PublicError {
  if (unlisted <= 0) return new PublicError("invalid_body", { detail: [...listed] });
  const msg = `Value error, there are ${unlisted} more errors, which are not listed`;
  const last = { loc: ["body"], msg, type: "too_many_errors" };
  return new PublicError("invalid_body", { detail: [...listed, last] });
}

/**
 * A 422 for a rule that openapi.yaml can't express.
 * @param path of the field in the body
 * @param message what was expected, and what came
 */
export function invalidField(path: (string | number)[], message: string): PublicError {
  return invalidBody({ loc: ["body", ...path], msg: `Value error, ${message}`, type: "value_error" });
}

/** @param reason why no text can have the form that a request asks for */
export function invalidGrammar(reason: string): PublicError {
  return new PublicError("invalid_grammar", { detail: `${errors.invalid_grammar.detail}: ${reason}` });
}
