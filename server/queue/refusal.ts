import { PublicError } from "../errors/errors.js";

/**
 * Why a request gets no place now: the model is loading, the server is shutting down, memory is short, the queue is full, or
 * its caller has as many sequences in it as one caller may have.
 */
export type Refusal =
  | "model_loading"
  | "shutting_down"
  | "memory_limited"
  | "queue_full"
  | "caller_queue_full";

/** There is no place for the request now, but there may be later. */
export class QueueRefusal extends PublicError {
  override name = "QueueRefusal";
  /** @param retryAfter whole seconds, at least 1 */
  constructor(
    readonly reason: Refusal,
    retryAfter: number,
  ) {
    super(reason, { retryAfter });
  }
}

/** The request is larger than the whole queue: waiting will not help. */
export class NeverFits extends PublicError {
  override name = "NeverFits";
  constructor(
    readonly what: "sequences" | "prompt tokens",
    readonly most: number,
    readonly got: number,
  ) {
    const msg = `Value error, expected at most ${most} ${what}, got ${got}`;
    super("invalid_body", { detail: [{ loc: ["body"], msg, type: "value_error" }] });
  }
}

/**
 * The request was given up before it was done. A client usually left by then; one that still reads this answer lost its
 * request at the end of a drain.
 */
export class Cancelled extends PublicError {
  override name = "Cancelled";
  constructor() {
    super("shutting_down", { retryAfter: 1 });
  }
}
