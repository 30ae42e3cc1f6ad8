/**
 * Why a request gets no place now: the model is still loading, the server is shutting down, the queue is full, or its
 * caller has as many requests in it as one may have.
 */
export type Refusal = "loading" | "draining" | "full" | "caller_full";

/** There is no place for the request now; later there may be. */
export class QueueRefusal extends Error {
  override name = "QueueRefusal";
  constructor(
    readonly reason: Refusal,
    /** When to try again, in whole seconds; at least 1. */
    readonly retryAfter: number,
  ) {
    super(`no place in the queue: ${reason}`);
  }
}

/** The request is larger than the whole queue: waiting would not help it. */
export class NeverFits extends Error {
  override name = "NeverFits";
  constructor(
    readonly what: "sequences" | "prompt tokens",
    readonly most: number,
    readonly got: number,
  ) {
    super(`expected at most ${most} ${what}, got ${got}`);
  }
}

/** The request was given up before its job came to anything. */
export class Removed extends Error {
  override name = "Removed";
}
