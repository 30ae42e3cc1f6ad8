import type { CompiledForm } from "../../workers/protocol.js";

/** A compiled form, or the reason for its refusal. */
export type Verdict = { form: CompiledForm } | { refusal: string };

export interface RecentFormsOptions {
  /** Verdicts kept at most. */
  count?: number;
  /** About how much memory they may take, in bytes. */
  bytes?: number;
}

/** An LRU cache of verdicts by a form's source. */
export class RecentForms {
  readonly #count: number;
  readonly #bytes: number;
  /** From the least to the most recently used. */
  readonly #kept = new Map<string, Verdict>();
  #taken = 0;

  constructor({ count = 64, bytes = 16 << 20 }: RecentFormsOptions = {}) {
    this.#count = count;
    this.#bytes = bytes;
  }

  /** How many verdicts are kept. */
  get size(): number {
    return this.#kept.size;
  }

  get(source: string): Verdict | undefined {
    const verdict = this.#kept.get(source);
    if (verdict === undefined) return undefined;
    this.#kept.delete(source);
    this.#kept.set(source, verdict);
    return verdict;
  }

  /** Keeps a verdict. The source must be new. */
  keep(source: string, verdict: Verdict): void {
    this.#kept.set(source, verdict);
    this.#taken += bytesOf(source, verdict);
    for (const [oldest, other] of this.#kept) {
      if (this.#kept.size <= this.#count && this.#taken <= this.#bytes) break;
      this.#kept.delete(oldest);
      this.#taken -= bytesOf(oldest, other);
    }
  }
}

function bytesOf(source: string, verdict: Verdict): number {
  return 2 * source.length + ("form" in verdict ? verdict.form.numbers.byteLength : 500);
}
