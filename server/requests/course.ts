import type { Outcome } from "../pool/pool.js";
import type { GenerationSummary } from "../telemetry/summary.js";
import type { Draft, GenerationRequest } from "./operation.js";
import type { Spent } from "./spent.js";

/** Notes a generation's course in its summary. */
export class Course {
  readonly summary: GenerationSummary;
  /** By sequence, when it got its slot. */
  readonly #startedAt: number[] = [];
  /** Resolves when no sequence has a slot any more. It stays open if none is submitted. */
  readonly isOver: Promise<void>;
  #end!: () => void;

  constructor({ sequences, maxTokens }: GenerationRequest, priority: number) {
    this.summary = {
      ...{ sequences, maxTokens, priority, reservedAt: performance.now() },
      ...{ preparedAt: null, startedAt: null, firstTokenAt: null, endedAt: null },
      ...{ promptTokens: 0, completionTokens: 0, longestTokens: 0, readTokens: 0, cachedTokens: 0 },
      ...{ decodeMs: 0, decodedTokens: 0, reasons: [], asked: null, outputs: [] },
    };
    this.isOver = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  prepared([first]: readonly Draft[]): void {
    this.summary.preparedAt = performance.now();
    if (first === undefined) return;
    const { sampling, stop, grammar } = first;
    this.summary.asked = { sampling, stop, form: grammar?.type ?? null };
  }

  started(sequence: number): void {
    const now = performance.now();
    this.#startedAt[sequence] = now;
    this.summary.startedAt ??= now;
  }

  /** A sequence has written text, which only streams tell. */
  wrote(): void {
    this.summary.firstTokenAt ??= performance.now();
  }

  /** A sequence has left its slot. */
  ended(sequence: number, outcome: Outcome): void {
    const { summary } = this;
    const startedAt = this.#startedAt[sequence];
    if (outcome.type !== "finished" || startedAt === undefined) return;
    const { reason, promptTokens, cachedTokens, completionTokens, firstTokenMs, generated } = outcome;
    summary.reasons.push(reason);
    summary.outputs[sequence] = { text: generated, reason };
    summary.readTokens += promptTokens;
    summary.cachedTokens += cachedTokens;
    summary.longestTokens = Math.max(summary.longestTokens, completionTokens);
    if (completionTokens === 0) return;
    const firstAt = startedAt + firstTokenMs;
    // A stream's first text comes after its first token. Without a stream only the outcome tells of that.
    summary.firstTokenAt = Math.min(summary.firstTokenAt ?? firstAt, firstAt);
    summary.decodeMs += performance.now() - firstAt;
    summary.decodedTokens += completionTokens - 1;
  }

  /** No sequence has a slot any more. */
  over(spent: Spent): void {
    Object.assign(this.summary, spent.tokens, { endedAt: performance.now() });
    this.#end();
  }
}
