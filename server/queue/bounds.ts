import { NeverFits } from "./refusal.js";

export interface BoundsOptions {
  /** How many sequences there may be in all states together. */
  sequences: number;
  /** How many of them may be one caller's. */
  sequencesOfCaller: number;
  /** How many prompt tokens those may have that have not started. */
  promptTokens: number;
}

/** Counts places, so that nothing is computed for a request that there is no place for. */
export class Bounds {
  readonly #most: BoundsOptions;
  readonly #byCaller = new Map<string, number>();
  #sequences = 0;
  #promptTokens = 0;

  constructor(most: BoundsOptions) {
    this.#most = most;
  }

  /**
   * Takes places, or says which bound is in the way. An estimate of prompt tokens may be far too high, so that one beyond
   * the bound counts as the bound.
   * @throws NeverFits
   */
  take(caller: string, sequences: number, promptTokens: number): "queue_full" | "caller_queue_full" | null {
    this.assertFits(sequences);
    const most = this.#most;
    const ofCaller = (this.#byCaller.get(caller) ?? 0) + sequences;
    if (this.#sequences + sequences > most.sequences) return "queue_full";
    if (this.#promptTokens + this.estimate(promptTokens) > most.promptTokens) return "queue_full";
    if (ofCaller > most.sequencesOfCaller) return "caller_queue_full";
    this.#sequences += sequences;
    this.#byCaller.set(caller, ofCaller);
    this.#promptTokens += this.estimate(promptTokens);
    return null;
  }

  /** @throws NeverFits for more than an empty queue has places for */
  assertFits(sequences: number, promptTokens = 0): void {
    const most = this.#most;
    // Whatever the bounds, a request for one sequence is valid.
    const mostSequences = Math.max(Math.min(most.sequences, most.sequencesOfCaller), 1);
    if (sequences > mostSequences) throw new NeverFits("sequences", mostSequences, sequences);
    if (promptTokens > most.promptTokens)
      throw new NeverFits("prompt tokens", most.promptTokens, promptTokens);
  }

  /** An estimate as `take` counts it. */
  estimate(promptTokens: number): number {
    return Math.min(promptTokens, this.#most.promptTokens);
  }

  /** Replaces an estimate of prompt tokens. Returns false if there is no place for so many. @throws NeverFits */
  adjust(from: number, to: number): boolean {
    this.assertFits(1, to);
    const most = this.#most.promptTokens;
    if (to > from && this.#promptTokens - from + to > most) return false;
    this.#promptTokens += to - from;
    return true;
  }

  /** Gives prompt tokens back when a sequence starts or is given up. */
  leaveTokens(promptTokens: number): void {
    this.#promptTokens -= promptTokens;
  }

  /** Gives places back. */
  leave(caller: string, sequences: number): void {
    this.#sequences -= sequences;
    const left = (this.#byCaller.get(caller) ?? 0) - sequences;
    if (left === 0) this.#byCaller.delete(caller);
    else this.#byCaller.set(caller, left);
  }
}
