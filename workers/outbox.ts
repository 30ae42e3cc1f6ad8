import type { Delta, TokenLogprob } from "./protocol.js";

/*
 * Each message wakes the main thread and then the clients. Where all cores serve the model, the model waits meanwhile:
 * about a millisecond for a message, and some 50 µs for each stream in it. With a message for each token, a lone
 * stream is a quarter slower than an answer that comes whole, and 8 or 32 streams an eighth. Gathered like this, all
 * lose some twentieth, half of it for beginning and ending the streams. Readers see no difference.
 */
const BASE_MS = 30;
const MS_PER_STREAM = 1;
/** With longer pauses a stream would seem to stutter. */
const LONGEST_MS = 100;

export interface OutboxOptions {
  /** Sends deltas to the main thread; there is always at least one. */
  post: (deltas: Delta[]) => void;
  /** A clock in milliseconds. */
  now?: () => number;
}

/** Gathers the text of a worker's streams and posts it for all of them together, from time to time. */
export class Outbox {
  readonly #post: (deltas: Delta[]) => void;
  readonly #now: () => number;
  readonly #open = new Set<string>();
  /** Open streams whose first text was not posted yet. */
  readonly #untold = new Set<string>();
  readonly #deltas = new Map<string, Delta>();
  #postedAt = Number.NEGATIVE_INFINITY;
  #checking = false;

  constructor({ post, now = () => performance.now() }: OutboxOptions) {
    this.#post = post;
    this.#now = now;
  }

  open(id: string): void {
    this.#open.add(id);
    this.#untold.add(id);
  }

  /** Drops text of the stream that was not posted: its outcome has all of it. */
  close(id: string): void {
    this.#open.delete(id);
    this.#untold.delete(id);
    this.#deltas.delete(id);
  }

  /**
   * Takes new text of a stream, the number of its tokens and, if asked for, their log-probabilities. A stream's first
   * text is posted with the step that wrote it.
   */
  add(id: string, text: string, tokens: number, logprobs?: TokenLogprob[]): void {
    const delta = this.#deltas.get(id);
    if (delta === undefined)
      this.#deltas.set(id, logprobs ? [id, text, tokens, logprobs] : [id, text, tokens]);
    else {
      delta[1] += text;
      delta[2] += tokens;
      if (logprobs) delta[3]?.push(...logprobs);
    }
    if (this.#checking) return;
    this.#checking = true;
    // A step adds its sequences' tokens one after the other; the microtask runs after the last one.
    queueMicrotask(() => this.#check());
  }

  /** It needs no timer: while a stream is open, another step comes. */
  #check(): void {
    this.#checking = false;
    const now = this.#now();
    const interval = Math.min(BASE_MS + MS_PER_STREAM * this.#open.size, LONGEST_MS);
    const due = now >= this.#postedAt + interval;
    const ready = [...this.#deltas.values()].filter(([id]) => due || this.#untold.has(id));
    if (ready.length === 0) return;
    if (due) this.#postedAt = now;
    for (const [id] of ready) {
      this.#untold.delete(id);
      this.#deltas.delete(id);
    }
    this.#post(ready);
  }
}
