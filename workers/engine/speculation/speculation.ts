import type { Sequence } from "../sequence.js";
import { Gain, MOST_DRAFTED } from "./gain.js";
import type { Draft } from "./said.js";

/** The least share of a drafted token: below it a row costs more than it brings at any size of batch. */
const LEAST_SHARE = 0.5;
/** Tokens of a prompt that its answer is remembered with. */
const PROMPT_TAIL = 16;
const NONE: Draft = { ids: [], expected: [], matched: 0, shares: [] };

/**
 * Drafts the next tokens of sequences from what was said before. A run then has a row for each drafted token too, and as many
 * of them come true as are the very tokens that the sampler draws from the rows before: drafts change no text.
 */
export class Speculation {
  readonly #gain: Pick<Gain, "looksUp" | "most" | "took">;

  /** Of the run, before they were cut. */
  #drafts: readonly Draft[] = [];

  constructor(gain: Pick<Gain, "looksUp" | "most" | "took"> = new Gain()) {
    this.#gain = gain;
  }

  /**
   * Drafts for the sequences of a decode step; null if none pays.
   * @param rooms how many tokens each can have beside its next
   */
  draft(sequences: readonly Sequence[], rooms: readonly number[]): number[][] | null {
    if (!this.#gain.looksUp(sequences.length)) return null;
    const drafts = sequences.map((sequence, i) => draftOf(sequence, Math.min(rooms[i]!, MOST_DRAFTED)));
    const most = this.#gain.most(
      sequences.length,
      drafts.filter(({ ids }) => ids.length > 0),
    );
    if (most === 0) return null;
    this.#drafts = drafts;
    return drafts.map(({ ids }) => ids.slice(0, most));
  }

  /** Takes how many of the tokens that were drafted for the sequence at this place of the run came true. */
  judge({ said }: Sequence, place: number, drafted: number, accepted: number): void {
    said!.judge(this.#drafts[place]!, drafted, accepted);
  }

  /** Takes the time of a decode step. */
  took(ms: number, batch: number, rows: number, tokens: number): void {
    this.#gain.took(ms, batch, rows, tokens);
  }

  /** Remembers what a sequence that leaves has said. */
  remember({ said, ids, prompt }: Sequence): void {
    if (said !== null && ids.length > prompt.length)
      said.add(ids.slice(Math.max(0, prompt.length - PROMPT_TAIL)));
  }
}

function draftOf({ said, ids }: Sequence, most: number): Draft {
  return said === null || most <= 0 ? NONE : said.draft(ids, most, LEAST_SHARE);
}
