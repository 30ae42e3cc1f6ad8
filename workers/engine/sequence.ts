import type { Tokenizer } from "../../models/tokenizer.js";
import type { FinishReason, FromSequence, Sampling, TokenLogprob } from "../protocol.js";
import { StopMatcher } from "./stop-matcher.js";

/** The half of a tokenizer that turns ids into text. */
export type Decoder = Pick<Tokenizer, "decode" | "detokenizer">;

export interface SequenceOptions {
  sampling: Sampling;
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
  /**
   * Called with the text as it comes and how many tokens it is of, at most once a token. The texts joined are a
   * beginning of the outcome's: what may yet turn out to be a stop string or a part of a character waits.
   */
  onText?: ((text: string, tokens: number, logprobs?: TokenLogprob[]) => void) | undefined;
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
  readonly #detokenizer: ReturnType<Decoder["detokenizer"]>;
  readonly #stops: StopMatcher;
  /** Text that `onText` doesn't have yet, and the tokens since its last call. */
  #held = "";
  #heldTokens = 0;
  /** How long the text is so far, without a part of a character. */
  #length = 0;
  #firstTokenMs = 0;

  constructor(options: SequenceOptions) {
    this.#options = options;
    this.ids = [...options.promptIds];
    this.sampling = options.sampling;
    this.windowStart = Math.max(0, this.ids.length - options.context);
    this.#detokenizer = options.decoder.detokenizer();
    this.#stops = new StopMatcher(options.stop);
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
    const piece = this.#detokenizer.push(token);
    this.#length += piece.length;
    if (token === eosId) return this.#finish("stop", null);
    const cut = this.#stops.push(piece);
    if (cut !== null) return this.#finish("stop", cut);
    if (this.ids.length - promptIds.length === maxTokens) return this.#finish("length", null);
    this.#tell(piece);
    return false;
  }

  cancel(): void {
    this.#options.onEnd({ type: "cancelled" });
  }

  fail(message: string): void {
    this.#options.onEnd({ type: "failed", message });
  }

  #tell(piece: string): void {
    const { onText } = this.#options;
    if (onText === undefined) return;
    this.#held += piece;
    this.#heldTokens++;
    const ready = this.#held.length - this.#stops.held;
    if (ready <= 0) return;
    onText(this.#held.slice(0, ready), this.#heldTokens);
    this.#held = this.#held.slice(ready);
    this.#heldTokens = 0;
  }

  /** `cut` is where in the text a stop string begins. */
  #finish(reason: FinishReason, cut: number | null): true {
    const { promptIds, decoder } = this.#options;
    const generated = decoder.decode(this.ids.slice(promptIds.length));
    const fullText = decoder.decode(this.ids);
    const end = cut ?? this.#length;
    const left = generated.length - end;
    this.#options.onEnd({
      type: "finished",
      reason,
      generated: generated.slice(0, end),
      fullText: fullText.slice(0, fullText.length - left),
      promptTokens: promptIds.length,
      completionTokens: this.ids.length - promptIds.length,
      cachedTokens: this.cachedTokens,
      firstTokenMs: this.#firstTokenMs,
    });
    return true;
  }
}
