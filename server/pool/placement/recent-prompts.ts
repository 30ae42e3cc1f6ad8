import { FIXED } from "../../../workers/engine/cache/grid.js";

/** Constants of FNV-1a, applied to token ids in place of bytes. */
const SEED = 0x811c9dc5;
const PRIME = 0x01000193;

/** Hashes of a prompt's beginnings that end where one of the engine's chunks ends, the shortest first. */
export type Beginnings = readonly { tokens: number; hash: number }[];

/** Computes a prompt's beginnings in one pass. Those of other callers have other hashes. */
export function beginnings(ids: readonly number[], caller = ""): Beginnings {
  const found: { tokens: number; hash: number }[] = [];
  let hash = SEED;
  for (let i = 0; i < caller.length; i++) hash = Math.imul(hash ^ caller.charCodeAt(i), PRIME);
  let end = FIXED.chunk(0, 0);
  for (const [index, id] of ids.entries()) {
    hash = Math.imul(hash ^ id, PRIME);
    if (index + 1 < end) continue;
    found.push({ tokens: end, hash });
    end += FIXED.chunk(end, 0);
  }
  return found;
}

/**
 * A worker's last prompts: the main thread's estimate of what the prefix cache in the worker's engine holds. It keeps
 * hashes, no ids: a hash collision only costs a prefill, and changes no text.
 */
export class RecentPrompts {
  readonly #most: number;
  /** Prompts by the hash of their longest beginning, least recent first. */
  readonly #prompts = new Map<number, Beginnings>();
  /** How many of the prompts have each beginning, by its hash. */
  readonly #counts = new Map<number, number>();

  constructor(most: number) {
    this.#most = most;
  }

  add(prompt: Beginnings): void {
    const whole = prompt.at(-1)?.hash;
    if (whole === undefined) return;
    const known = this.#prompts.get(whole);
    this.#prompts.delete(whole);
    this.#prompts.set(whole, known ?? prompt);
    if (known) return;
    for (const { hash } of prompt) this.#counts.set(hash, (this.#counts.get(hash) ?? 0) + 1);
    if (this.#prompts.size > this.#most) this.#forgetOldest();
  }

  /** The length of the longest beginning, up to `most` tokens, that a prompt shares with a recent one. */
  cached(prompt: Beginnings, most: number): number {
    return prompt.findLast(({ tokens, hash }) => tokens <= most && this.#counts.has(hash))?.tokens ?? 0;
  }

  #forgetOldest(): void {
    for (const [whole, prompt] of this.#prompts) {
      this.#prompts.delete(whole);
      for (const { hash } of prompt) {
        const count = this.#counts.get(hash)! - 1;
        if (count === 0) this.#counts.delete(hash);
        else this.#counts.set(hash, count);
      }
      return;
    }
  }
}
