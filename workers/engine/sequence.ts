import type { Tokenizer } from "../../models/tokenizer/tokenizer.js";
import type { Constraint } from "./constraint.js";
import { type FinishReason, failure, type Outcome } from "./outcome.js";
import type { TokenLogprob } from "./sampling/logprobs.js";
import { Penalties } from "./sampling/penalties.js";
import type { Restraints } from "./sampling/sampler.js";
import type { Sampling } from "./sampling/sampling.js";
import type { Said } from "./speculation/said.js";
import { StopMatcher } from "./stop-matcher.js";

const NONE: readonly number[] = [];

/** The half of a tokenizer that turns ids into text. */
export type Decoder = Pick<Tokenizer, "decode" | "detokenizer">;

export interface SequenceOptions {
  sampling: Sampling;
  promptIds: readonly number[];
  /** 0 only reads the prompt. */
  maxTokens: number;
  /** How many tokens come before the first that can end it, by EOS or by a stop string; 0 by default. */
  minTokens?: number;
  /** Texts that end the sequence, and are not part of the output. A match may span tokens. */
  stop: readonly string[];
  /** Each of these tokens ends the sequence; none: it goes on past them. */
  eosIds: readonly number[];
  /**
   * How many of the likeliest tokens to report beside each token's log-probability; null, the default: no
   * log-probabilities.
   */
  logprobs?: number | null;
  /** Whether to report those of the prompt's tokens too; false by default. */
  promptLogprobs?: boolean;
  /** The form that the text has to have; null, the default: any. */
  constraint?: Constraint | null;
  /** Whose texts it can take rows over from, and who can take over its rows; all those that name none by default. */
  caller?: string;
  /** Where its next tokens are drafted from, and what it says is remembered; null, the default: nowhere. */
  said?: Said | null;
  /** How the text begins; null, the default: it is drawn from its first token on. Not with `promptLogprobs`. */
  forced?: Forced | null;
  /** The window, and how far it slides at once. */
  context: number;
  contextStride: number;
  decoder: Decoder;
  /**
   * Called with new text, the number of its tokens and, if asked for, their log-probabilities, at most once a token.
   * Text that may still become a stop string, or is a part of a character, waits, so the texts joined are a beginning
   * of the outcome's.
   */
  onText?: ((text: string, tokens: number, logprobs?: TokenLogprob[]) => void) | undefined;
  /** Called once, when the prompt has been read and the first token drawn, unless that ends the sequence. */
  onRead?: (() => void) | undefined;
  /** Called once, with the sequence's outcome. */
  onEnd(outcome: Outcome): void;
}

/**
 * The first tokens of a text, which an equal sequence drew before. A sequence goes on from them as that one did, and its outcome
 * has all of the text. What that one told `onText` is not told again.
 */
export interface Forced {
  ids: readonly number[];
  /** Those that the other sequence told, if log-probabilities are asked for. */
  logprobs?: readonly TokenLogprob[];
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
  /** As in `SequenceOptions`. */
  readonly logprobs: number | null;
  readonly caller: string;
  readonly said: Said | null;
  cancelled = false;
  /** Its place in the cache; kept by the scheduler. */
  slot = -1;
  /** Its place among those that wait for a prefill, the lowest first; kept by the scheduler. */
  turn = -1;
  /** Tokens of the prompt whose rows were taken from the cache instead of computed; kept by the scheduler. */
  cachedTokens = 0;
  /** Tokens of the prompt that were computed until it has been read; kept by the engine. */
  computedTokens = 0;
  /** Tokens that were drafted for it, and those of them that came true; kept by the engine. */
  draftedTokens = 0;
  acceptedTokens = 0;
  /** When the run of its last token ended, by `performance.now()`; null before the first. Kept by the engine. */
  wroteAt: number | null = null;
  windowStart: number;
  readonly #options: SequenceOptions;
  readonly #created = performance.now();
  readonly #detokenizer: ReturnType<Decoder["detokenizer"]>;
  readonly #stops: StopMatcher;
  readonly #penalties: Penalties | null;
  readonly #constraint: Constraint | null;
  readonly #logprobs: TokenLogprob[] = [];
  /** Log-probabilities of the prompt's tokens that were scored so far. */
  readonly #promptLogprobs: (TokenLogprob | null)[];
  /** Text that `onText` doesn't have yet, and the tokens since its last call. */
  #held = "";
  #heldTokens = 0;
  /** Length of the text so far, without an incomplete character. */
  #length = 0;
  #isRead = false;
  #firstTokenMs = 0;

  constructor(options: SequenceOptions) {
    this.#options = options;
    this.ids = [...options.promptIds];
    this.sampling = options.sampling;
    this.windowStart = Math.max(0, this.ids.length - options.context);
    this.#detokenizer = options.decoder.detokenizer();
    this.#stops = new StopMatcher(options.stop);
    this.logprobs = options.logprobs ?? null;
    this.caller = options.caller ?? "";
    this.said = options.said ?? null;
    this.#penalties = Penalties.of(options.sampling, options.promptIds);
    this.#constraint = options.constraint ?? null;
    // The window's first token has no context, and so no log-probability.
    this.#promptLogprobs = new Array<null>(this.windowStart + 1).fill(null);
    if (options.forced) this.#force(options.forced);
  }

  get prompt(): readonly number[] {
    return this.#options.promptIds;
  }

  /** Whether it has generated a token. */
  get started(): boolean {
    return this.ids.length > this.#options.promptIds.length;
  }

  /** How many more tokens it may generate. */
  get left(): number {
    return this.#options.maxTokens - this.#generated;
  }

  /** Whether all rows of its prompt have to be computed now, with their logits. */
  get scoring(): boolean {
    return this.#options.promptLogprobs === true && !this.started;
  }

  /** The token of the prompt that the next row scores; undefined when that row is the prompt's last. */
  get unscored(): number | undefined {
    return this.#options.promptIds[this.#promptLogprobs.length];
  }

  /** How many of the window's ids are not in the cache, which holds `cached`. */
  pending(cached: number): number {
    return this.ids.length - this.windowStart - cached;
  }

  /**
   * Slides a full window: its first `contextStride` ids leave it. The others move to position 0, so the cache has to
   * be filled anew.
   */
  slide(): void {
    this.windowStart += this.#options.contextStride;
  }

  /** Restraints on the next token. */
  restraints(): Restraints {
    const { eosIds, minTokens = 0 } = this.#options;
    return {
      penalties: this.#penalties,
      allowed: this.#constraint?.allowed() ?? null,
      withheld: this.#generated < minTokens ? eosIds : NONE,
    };
  }

  /** Takes the log-probability of `unscored`. */
  score(logprob: TokenLogprob): void {
    this.#promptLogprobs.push(logprob);
  }

  /**
   * Ends the sequence if there is nothing to draw, and returns whether it did. Call it when the prompt has been read.
   */
  concludes(): boolean {
    const { maxTokens } = this.#options;
    if (maxTokens > 0 && !this.#constraint?.complete) return false;
    this.#firstTokenMs = performance.now() - this.#created;
    return this.#finish(maxTokens === 0 ? "length" : "stop", null);
  }

  /**
   * Takes the next token and returns whether it ends the sequence.
   * @param logprob if `logprobs` asks for it
   */
  push(token: number, logprob?: TokenLogprob): boolean {
    const isFirst = !this.#isRead;
    this.#isRead = true;
    if (isFirst) this.#firstTokenMs = performance.now() - this.#created;
    if (logprob) this.#logprobs.push(logprob);
    const { piece, end } = this.#advance(token);
    if (end) return this.#finish(end.reason, end.cut);
    if (isFirst) this.#options.onRead?.();
    const text = this.#release(piece);
    if (text !== null) this.#tell(text);
    return false;
  }

  cancel(): void {
    const promptTokens = this.started ? this.#options.promptIds.length : this.computedTokens;
    this.#options.onEnd({ type: "cancelled", promptTokens, completionTokens: this.#generated });
  }

  fail(error: unknown): void {
    this.#options.onEnd(failure(error));
  }

  /** Number of tokens that it has generated. */
  get #generated(): number {
    return this.ids.length - this.#options.promptIds.length;
  }

  /** Takes a token into the text. `end`: why it is the last, and where in the text a stop string begins. */
  #advance(token: number): { piece: string; end: { reason: FinishReason; cut: number | null } | null } {
    const { maxTokens, minTokens = 0, eosIds } = this.#options;
    this.ids.push(token);
    this.#penalties?.push(token);
    const piece = this.#detokenizer.push(token);
    this.#length += piece.length;
    const ended = (reason: FinishReason, cut: number | null = null) => ({ piece, end: { reason, cut } });
    if (eosIds.includes(token)) return ended("stop");
    this.#constraint?.accept(token);
    if (this.#generated <= minTokens) this.#stops.pass(piece);
    else {
      const cut = this.#stops.push(piece);
      if (cut !== null) return ended("stop", cut);
    }
    if (this.#constraint?.complete) return ended("stop");
    if (this.#generated === maxTokens) return ended("length");
    return { piece, end: null };
  }

  #force({ ids, logprobs = [] }: Forced): void {
    const { promptLogprobs, context } = this.#options;
    if (promptLogprobs)
      throw new Error("expected no promptLogprobs with a forced text, whose prompt is not scored again");
    if (this.logprobs !== null && logprobs.length !== ids.length)
      throw new Error(`expected log-probabilities of ${ids.length} forced tokens, got ${logprobs.length}`);
    for (const [i, id] of ids.entries()) {
      const { piece, end } = this.#advance(id);
      if (end)
        throw new Error(
          `expected forced tokens that don't end the text, got ${ids.length}, of which ${i + 1} end it`,
        );
      if (this.logprobs !== null) this.#logprobs.push(logprobs[i]!);
      if (this.#release(piece) !== null) this.#heldTokens = 0;
      // As the engine slides a window that is full.
      if (this.ids.length - this.windowStart > context) this.slide();
    }
  }

  /** Text that can be told, now that `piece` has come; null if there is none. */
  #release(piece: string): string | null {
    if (this.#options.onText === undefined) return null;
    this.#held += piece;
    this.#heldTokens++;
    const ready = this.#held.length - this.#stops.held;
    if (ready <= 0) return null;
    const text = this.#held.slice(0, ready);
    this.#held = this.#held.slice(ready);
    return text;
  }

  #tell(text: string): void {
    const { onText } = this.#options;
    if (this.logprobs === null) onText!(text, this.#heldTokens);
    else onText!(text, this.#heldTokens, this.#logprobs.slice(-this.#heldTokens));
    this.#heldTokens = 0;
  }

  /** `cut` is the place in the text where a stop string begins. */
  #finish(reason: FinishReason, cut: number | null): true {
    const { promptIds, decoder, promptLogprobs } = this.#options;
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
      completionTokens: this.#generated,
      cachedTokens: this.cachedTokens,
      draftedTokens: this.draftedTokens,
      acceptedTokens: this.acceptedTokens,
      firstTokenMs: this.#firstTokenMs,
      ...(this.logprobs !== null && { logprobs: this.#logprobs }),
      ...(promptLogprobs && { promptLogprobs: this.#promptLogprobs }),
    });
    return true;
  }
}
