import { PublicError } from "../errors/errors.js";
import { Holdings, shareOf } from "../shares.js";

/** Weight of the newest time in the mean. */
const WEIGHT = 0.1;

export interface ToolPlacesOptions {
  /** How many requests may be under way. */
  places: number;
  /** Whether there are several callers: one may then take half of the places. Default: no. */
  several?: (() => boolean) | undefined;
}

/** Places of the tools: requests that tokenize or render, and so have no place in the queue. */
export class ToolPlaces {
  readonly #places: number;
  readonly #several: () => boolean;
  readonly #taken = new Holdings();
  /** For how long a place is held, in milliseconds: a moving mean. */
  #meanMs = 0;

  constructor({ places, several = () => false }: ToolPlacesOptions) {
    this.#places = places;
    this.#several = several;
  }

  /**
   * Runs `work` while it holds a place.
   * @throws PublicError `overloaded` if none is free, `caller_texts_full` if the caller's share is taken
   */
  async hold<T>(caller: string, work: () => Promise<T>): Promise<T> {
    if (this.#taken.sum >= this.#places) throw new PublicError("overloaded", { retryAfter: 1 });
    const own = this.#taken.of(caller);
    if (own >= shareOf(this.#places, this.#several())) {
      // Each place is held for the mean time, so the first of so many is free after this part of it.
      const retryAfter = Math.max(Math.ceil(this.#meanMs / own / 1000), 1);
      throw new PublicError("caller_texts_full", { retryAfter });
    }
    this.#taken.take(caller);
    const begunAt = performance.now();
    try {
      return await work();
    } finally {
      this.#taken.give(caller);
      this.#meanMs += WEIGHT * (performance.now() - begunAt - this.#meanMs);
    }
  }
}
