import { chunkAt } from "../../../workers/engine/cache/chunks.js";

/** FNV-1a, over ids instead of bytes. */
const SEED = 0x811c9dc5;
const PRIME = 0x01000193;

/** The hashes of a prompt's beginnings, in rising length: all that end where a chunk of the engine's does. */
export type Beginnings = readonly { tokens: number; hash: number }[];

/** Reads a prompt once. */
export function beginnings(ids: readonly number[]): Beginnings {
  const found: { tokens: number; hash: number }[] = [];
  let hash = SEED;
  let end = chunkAt(0);
  for (const [index, id] of ids.entries()) {
    hash = Math.imul(hash ^ id, PRIME);
    if (index + 1 < end) continue;
    found.push({ tokens: end, hash });
    end += chunkAt(end);
  }
  return found;
}

/**
 * The prompts that a worker had last, so many of them: what the prefix cache in its engine holds, as far as the main
 * thread can tell. Keeps hashes and no ids: two prompts taken for one cost a prefill, and change no text.
 */
export class RecentPrompts {
  readonly #most: number;
  /** By their whole length's hash, the least recent first. */
  readonly #prompts = new Map<number, Beginnings>();
  /** In how many of the prompts each beginning is. */
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

  /** How many of a prompt's first tokens are the beginning of one of these, of at most so many. */
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
