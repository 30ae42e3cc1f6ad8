import type { Outcome } from "../pool/pool.js";
import type { GenerationSummary } from "../telemetry/summary.js";
import type { Milestones } from "../telemetry/telemetry.js";
import type { Draft, GenerationRequest } from "./operation.js";
import type { Spent } from "./spent.js";

/** Notes a generation's course in its summary, and tells its milestones as they come. */
export class Course {
  readonly summary: GenerationSummary;
  /** By sequence, when it got its slot. */
  readonly #startedAt: number[] = [];
  /** By sequence, whether its prompt was told of. */
  readonly #isRead: boolean[] = [];
  #milestones: Milestones | null = null;
  /** Resolves when no sequence has a slot any more. It stays open if none is submitted. */
  readonly isOver: Promise<void>;
  #end!: () => void;

  constructor({ sequences, maxTokens }: GenerationRequest, priority: number) {
    this.summary = {
      ...{ sequences, maxTokens, priority, reservedAt: performance.now() },
      ...{ preparedAt: null, startedAt: null, firstTokenAt: null, endedAt: null },
      ...{ promptTokens: 0, completionTokens: 0, longestTokens: 0, readTokens: 0, cachedTokens: 0 },
      ...{ draftedTokens: 0, acceptedTokens: 0 },
      ...{ decodeMs: 0, decodedTokens: 0, reasons: [], asked: null, outputs: [] },
    };
    this.isOver = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Everything from now on is told there, until the generation is given up. */
  tell(milestones: Milestones): void {
    this.#milestones = milestones;
  }

  /** What still comes of it says nothing of the model: nobody waits for it. */
  givenUp(): void {
    this.#milestones = null;
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
    if (this.summary.startedAt !== null) return;
    this.summary.startedAt = now;
    this.#milestones?.started();
  }

  /** A sequence has its first token: it has written text, or its worker says so. Further calls for it do nothing. */
  read(sequence: number, promptTokens: number): void {
    if (this.#isRead[sequence]) return;
    this.#tellRead(sequence, promptTokens);
    this.#hasToken(performance.now());
  }

  #tellRead(sequence: number, promptTokens: number): void {
    if (this.#isRead[sequence]) return;
    this.#isRead[sequence] = true;
    this.#milestones?.read(promptTokens);
  }

  #hasToken(at: number): void {
    const { firstTokenAt } = this.summary;
    // The main thread learns of a token after it was there: the outcome may correct it to an earlier time.
    this.summary.firstTokenAt = Math.min(firstTokenAt ?? at, at);
    if (firstTokenAt === null) this.#milestones?.firstToken();
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
    summary.draftedTokens += outcome.draftedTokens;
    summary.acceptedTokens += outcome.acceptedTokens;
    this.#tellRead(sequence, promptTokens);
    summary.longestTokens = Math.max(summary.longestTokens, completionTokens);
    if (completionTokens === 0) return;
    const firstAt = startedAt + firstTokenMs;
    this.#hasToken(firstAt);
    summary.decodeMs += performance.now() - firstAt;
    summary.decodedTokens += completionTokens - 1;
  }

  /** No sequence has a slot any more. */
  over(spent: Spent): void {
    Object.assign(this.summary, spent.tokens, { endedAt: performance.now() });
    this.#end();
  }
}
