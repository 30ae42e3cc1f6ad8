/**
 * The share of a decode step's time that a prefill between two of them may take for each prompt that waits. At a half, a
 * sequence waits 1.5 steps for a token that a prefill came before.
 */
const SHARE = 0.45;
/** The most of it: where prompts pile up, slots that don't decode cost more than the wait. */
const MOST_SHARE = 1.1;
/** A prefill may take this long however short the steps are, in milliseconds: nobody notices such a wait. */
const UNNOTICED_MS = 1.5;
/** Fewest rows of a prefill: below them a run costs much the same. */
const LEAST_ROWS = 8;
/** Most rows of a prefill, so that cancellations and newcomers don't wait for a whole long prompt. */
const MOST_ROWS = 256;
/** Weight of the newest run in the averages. */
const NEWEST = 0.25;
/** A run that takes this much longer than usual was interrupted; it counts as this much. */
const MOST_SLOWER = 4;

/**
 * How many rows a prefill may have, from the times of recent runs: as many as keep the sequences that decode at their pace.
 * The more prompts wait beside them, the more time prefills get, or a burst of prompts would hold up all later ones.
 */
export class Pace {
  #decodeMs = 0;
  #msPerRow = 0;

  /**
   * @param decoding how many sequences decode
   * @param waiting how many prompts wait to be read
   */
  rows(decoding: number, waiting: number): number {
    if (decoding === 0 || this.#msPerRow === 0) return decoding === 0 ? MOST_ROWS : LEAST_ROWS;
    const share = Math.max(Math.min(SHARE * waiting, MOST_SHARE), (2 * SHARE * waiting) / decoding);
    const budgetMs = Math.max(share * this.#decodeMs, UNNOTICED_MS);
    return Math.min(Math.max(Math.floor(budgetMs / this.#msPerRow), LEAST_ROWS), MOST_ROWS);
  }

  decoded(ms: number): void {
    this.#decodeMs = averaged(this.#decodeMs, ms);
  }

  prefilled(ms: number, rows: number): void {
    this.#msPerRow = averaged(this.#msPerRow, ms / rows);
  }
}

function averaged(average: number, newest: number): number {
  if (average === 0) return newest;
  return average + NEWEST * (Math.min(newest, MOST_SLOWER * average) - average);
}
