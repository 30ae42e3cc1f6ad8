import type { Delta, TokenLogprob } from "./protocol.js";

/*
 * To tell a stream something wakes the main thread and then the client, and where all cores serve the model, it waits
 * meanwhile: for about a millisecond however many streams are told at once, and some 50 µs for each of them. Told token by
 * token, a lone stream is a quarter slower than an answer that comes whole, 8 or 32 an eighth; gathered like this, all lose
 * some twentieth, of which half goes into beginning and ending them. To a reader it is all the same.
 */
const BASE_MS = 30;
const MS_PER_STREAM = 1;
/** More would be seen as halting. */
const LONGEST_MS = 100;

export interface OutboxOptions {
  /** Takes what is to be told, never empty. */
  post: (deltas: Delta[]) => void;
  /** A clock in milliseconds. */
  now?: () => number;
}

/** Gathers the text of a worker's streams, and posts it for all of them together, now and then. */
export class Outbox {
  readonly #post: (deltas: Delta[]) => void;
  readonly #now: () => number;
  readonly #open = new Set<string>();
  /** The open streams of which nothing was told yet. */
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

  /** Forgets what the stream has not been told: its outcome tells. */
  close(id: string): void {
    this.#open.delete(id);
    this.#untold.delete(id);
    this.#deltas.delete(id);
  }

  /**
   * Takes a stream's text, how many tokens it is of and, if it asked for them, their log-probabilities. A stream's first
   * is posted with the step that wrote it.
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
    // A step tells its sequences' tokens one after the other; this comes when it has told them all.
    queueMicrotask(() => this.#check());
  }

  /** No timer: while a stream is open, another step comes. */
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
