import type { FinishReason, FromSequence } from "../protocol.js";
import { type Decoder, Detokenizer, isUnfinished } from "./detokenizer.js";
import type { Sampling } from "./sampler.js";

export interface SequenceOptions extends Sampling {
  promptIds: readonly number[];
  maxTokens: number;
  /** Never in the output; a match may straddle tokens. */
  stop: readonly string[];
  /** Ends the sequence; null goes on past it. */
  eosId: number | null;
  /** The window, and how far it slides at once. */
  context: number;
  contextStride: number;
  decoder: Decoder;
  /** Called once, with the last that is to be said of the sequence. */
  onEnd(outcome: FromSequence): void;
}

/**
 * One request's state in the engine: its text so far, and which part of it the model sees.
 *
 * The model sees `ids` from `windowStart` on, as positions 0, 1, …; the cache holds the first of them, the rest is
 * pending. One pending id is a decode step; more are a prefill.
 */
export class Sequence {
  readonly ids: number[];
  readonly sampling: Sampling;
  cancelled = false;
  /** The place in the cache, and in the line for a prefill; kept by the scheduler. */
  slot = -1;
  ticket = -1;
  /** Tokens of the prompt whose rows were taken from the cache instead of computed; kept by the scheduler. */
  cachedTokens = 0;
  windowStart: number;
  readonly #options: SequenceOptions;
  readonly #created = performance.now();
  readonly #detokenizer: Detokenizer | null;
  #text = "";
  #firstTokenMs = 0;

  constructor(options: SequenceOptions) {
    this.#options = options;
    this.ids = [...options.promptIds];
    this.sampling = options;
    this.windowStart = Math.max(0, this.ids.length - options.context);
    // Text is needed on the way only to look for stop strings.
    this.#detokenizer = options.stop.length > 0 ? new Detokenizer(options.decoder) : null;
  }

  /** Whether it has a token of its own. */
  get started(): boolean {
    return this.ids.length > this.#options.promptIds.length;
  }

  /** The ids that the model sees. */
  get window(): readonly number[] {
    return this.ids.slice(this.windowStart);
  }

  /** How many of the window's ids are not in the cache, which holds `cached`. */
  pending(cached: number): number {
    return this.ids.length - this.windowStart - cached;
  }

  /**
   * Slides a full window: of the `context` ids in the cache all but the first `contextStride` stay, and move to position
   * 0, so that the cache has to be filled anew.
   */
  slide(): void {
    this.windowStart += this.#options.contextStride;
  }

  /** Takes the next token and says whether it ends the sequence. */
  push(token: number): boolean {
    const { promptIds, maxTokens, eosId } = this.#options;
    if (this.ids.length === promptIds.length) this.#firstTokenMs = performance.now() - this.#created;
    this.ids.push(token);
    if (token === eosId) return this.#finish("stop", null);
    if (this.#detokenizer) {
      const cut = this.#findStop(this.#detokenizer.push(token));
      if (cut !== null) return this.#finish("stop", cut);
    }
    if (this.ids.length - promptIds.length < maxTokens) return false;
    return this.#finish("length", null);
  }

  cancel(): void {
    this.#options.onEnd({ type: "cancelled" });
  }

  fail(message: string): void {
    this.#options.onEnd({ type: "failed", message });
  }

  /** Where in the text the first stop string begins, when `piece` completes one. */
  #findStop(piece: string): number | null {
    const before = this.#text.length;
    this.#text += piece;
    let first: number | null = null;
    for (const stop of this.#options.stop) {
      const index = this.#text.indexOf(stop, Math.max(0, before - stop.length + 1));
      if (index >= 0 && (first === null || index < first)) first = index;
    }
    return first;
  }

  /** `length` is where the text ends that counts: at a stop string, or null for all but a part of a character. */
  #finish(reason: FinishReason, length: number | null): true {
    const { promptIds, decoder } = this.#options;
    const generated = decoder.decode(this.ids.slice(promptIds.length));
    const fullText = decoder.decode(this.ids);
    const end = length ?? finishedLength(generated);
    const cut = generated.length - end;
    this.#options.onEnd({
      type: "finished",
      reason,
      generated: generated.slice(0, end),
      fullText: fullText.slice(0, fullText.length - cut),
      promptTokens: promptIds.length,
      completionTokens: this.ids.length - promptIds.length,
      cachedTokens: this.cachedTokens,
      firstTokenMs: this.#firstTokenMs,
    });
    return true;
  }
}

/** The length of a text without a last character of which only a part was generated. */
function finishedLength(text: string): number {
  let length = text.length;
  while (isUnfinished(text.slice(0, length))) length--;
  return length;
}
