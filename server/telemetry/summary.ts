import type { ErrorCode } from "../errors/errors.js";

/** What became of a generation. Times are of `performance.now()`; null if it did not get there. */
export interface GenerationSummary {
  readonly sequences: number;
  /** Of each sequence. */
  readonly maxTokens: number;
  readonly priority: number;
  readonly reservedAt: number;
  /** When its prompt was tokenized and its form compiled. */
  preparedAt: number | null;
  /** When its first sequence got a slot. */
  startedAt: number | null;
  /** When the first of its sequences had a token. */
  firstTokenAt: number | null;
  /** When its last sequence left its slot. */
  endedAt: number | null;
  /** A prompt that several sequences share counts once. */
  promptTokens: number;
  completionTokens: number;
  /** Those of the longest sequence that finished. */
  longestTokens: number;
  /** Tokens of the sequences' prompts, each counted, and those of them that a cache still held. */
  readTokens: number;
  cachedTokens: number;
  /** Tokens that were drafted for them, and those of them that came true. */
  draftedTokens: number;
  acceptedTokens: number;
  /** Time from a sequence's first token to its last, and the tokens after the first, over all sequences that finished. */
  decodeMs: number;
  decodedTokens: number;
  /** Of the sequences that finished, in no order. */
  readonly reasons: ("stop" | "length")[];
  /** What its first sequence was asked for; null until it is prepared. */
  asked: Asked | null;
  /** By sequence, what it has written, once it has finished. Traces show it if they are asked to; no log does. */
  readonly outputs: ({ text: string; reason: "stop" | "length" } | undefined)[];
}

/** The fields of a task that traces tell. */
export interface Asked {
  sampling: {
    temperature: number;
    topK: number;
    topP: number;
    presencePenalty: number;
    frequencyPenalty: number;
    /** Two 32-bit halves (low, high). */
    seed: readonly [number, number];
  };
  stop: readonly string[];
  /** The form's type; null for any text. */
  form: string | null;
}

/** The headers that make what this request causes a part of its trace, by their names. */
export interface TraceContext {
  traceparent: string;
  tracestate?: string;
}

/** What became of a request, or of a job that ran. It is filled in until its end. */
export interface Summary {
  readonly kind: "request" | "job";
  readonly id: string;
  readonly method: string;
  /** Of the URL, without a query. For a job: of its operation. */
  readonly path: string;
  /** When it came, by `performance.now()`. A job comes when its turn has come. */
  readonly receivedAt: number;
  /** When the last byte was handed to the socket, or the client left. */
  endedAt: number;
  /** Its path in openapi.yaml, like `/jobs/{id}`; null if it was refused before that was known. */
  route: string | null;
  /** Null where keys are not set, or the key is not valid. */
  caller: string | null;
  /** Of an error that a stream tells midway: the error's. Null if the client left before an answer. */
  status: number | null;
  /** Whether the client left before the end of the answer. */
  left: boolean;
  error: SummaryError | null;
  /** Whether the answer is that of an earlier request with the same Idempotency-Key. */
  replayed: boolean;
  stream: boolean;
  /** Start of the prompt for the log, behind a colon; empty where prompts are hidden. */
  quote: string;
  generation: GenerationSummary | null;
  /** Settles when no sequence of it has a slot any more; null if none has waited for one. */
  over: Promise<void> | null;
  /** The body of a generation. Traces show its prompt if they are asked to; no log does. */
  body: object | null;
  /** 32 hexadecimal digits, if the request is traced, or belongs to a trace of its client's. */
  traceId: string | null;
  traceContext: TraceContext | null;
}

export interface SummaryError {
  code: ErrorCode;
  /** Status and reason, for the log: `422, body.prompt: Field required`. */
  told: string;
  /** The stack of an internal error, or nothing. */
  stack: string;
}

export function newSummary(given: Pick<Summary, "kind" | "id" | "method" | "path">): Summary {
  const now = performance.now();
  return {
    ...given,
    receivedAt: now,
    endedAt: now,
    route: null,
    caller: null,
    status: null,
    left: false,
    error: null,
    replayed: false,
    stream: false,
    quote: "",
    generation: null,
    over: null,
    body: null,
    traceId: null,
    traceContext: null,
  };
}

/**
 * Calls back once the summary is complete: at once, or when its sequences have left their slots. A request that is cancelled
 * or late has its end before they have, and only they tell which tokens it took.
 */
export function whenComplete({ generation, over }: Summary, callback: () => void): void {
  if (over === null || generation?.endedAt !== null) callback();
  else void over.then(callback);
}

export type Ending = "ok" | "refused" | "invalid" | "failed" | "cancelled";

/**
 * What an error's status means. Refused: for the caller's limits, or because the server is full, loads or stops, so that
 * the same request may succeed later or elsewhere. Invalid: for what the request itself is.
 */
export function endingOfError(status: number | null): "refused" | "invalid" | "failed" {
  if (status === 500 || status === 504) return "failed";
  return status === 429 || status === 503 || status === 507 ? "refused" : "invalid";
}

export function endingOf({ left, error, status }: Pick<Summary, "left" | "error" | "status">): Ending {
  if (left) return "cancelled";
  if (error === null && status !== null && status < 400) return "ok";
  return error?.code === "worker_lost" ? "failed" : endingOfError(status);
}

/** Mean time between two tokens, in milliseconds; null for less than two tokens. */
export function meanItl({ decodeMs, decodedTokens }: GenerationSummary): number | null {
  return decodedTokens === 0 ? null : decodeMs / decodedTokens;
}

/** From a generation's reservation to its first slot, in milliseconds; to its end, if it never got one. */
export function queueMs({ reservedAt, startedAt, endedAt }: GenerationSummary): number | null {
  const until = startedAt ?? endedAt;
  return until === null ? null : until - reservedAt;
}
