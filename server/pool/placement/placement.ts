import { FIXED } from "../../../workers/engine/cache/grid.js";
import { type Beginnings, beginnings, RecentPrompts } from "./recent-prompts.js";

/**
 * Costs of a worker's work. The unit is the time that one more sequence adds to a decode step. Measured on one thread
 * (24 MB of int8 weights): a step takes 0.7 ms + 0.4 ms per sequence, a prompt 0.2 ms per token. Other machines and
 * models differ in the unit, but much less in the ratios.
 */
const STEP = 2;
const PROMPT_TOKEN = 0.5;
/** Prompt tokens per prefill run. Between two prefill runs, a worker runs one step of all its decoding sequences. */
const CHUNK = FIXED.chunk(Number.POSITIVE_INFINITY, 0);

/** A sequence to place. */
export interface Work {
  promptIds: readonly number[];
  maxTokens: number;
  /** Log-probabilities of the prompt are wanted, so it is computed in full, without the cache. */
  promptLogprobs: boolean;
  /** Who asked; a prompt continues from texts of its caller alone. */
  caller?: string;
}

/**
 * Sequences that must share a worker with no others, as after a death that one of them may have caused; null: all that
 * nothing is held against.
 */
export type Company = object | null;

/** A sequence that a worker has, from `place` to `end`. */
export interface Placed {
  /** Thread id. */
  readonly worker: number;
  readonly company: Company;
  /** Prompt tokens still to be computed; 0 once the prompt is read. */
  unread: number;
  /** The most tokens that the sequence may still write. */
  remaining: number;
}

export interface PlacementOptions {
  /** How many sequences a worker runs at once. */
  slots: number;
  /** How many prefixes of earlier prompts a worker keeps beside them. */
  keptPrefixes: number;
  /** The model's context in tokens. Only the end of a longer prompt is read. */
  context: number;
}

interface Worker {
  readonly rank: number;
  readonly sequences: Set<Placed>;
  readonly recent: RecentPrompts;
}

/**
 * Chooses the worker for a sequence: the one where it adds the least to the sum of all sequences' waiting times, its
 * own included. If all workers are idle, that is the one that answers it soonest. If they are busy, it is also the one
 * where it delays the others least. So a sequence goes to a worker that has cached its prompt's beginning, unless that
 * worker is so much busier that computing the prompt elsewhere is cheaper.
 *
 * It knows no threads and no clock: the pool reports what starts, is read, is written and ends.
 */
export class Placement {
  readonly #slots: number;
  readonly #keptPrefixes: number;
  readonly #context: number;
  /** Workers that can take work, by thread id. */
  readonly #workers = new Map<number, Worker>();
  /** The worker that gets no more work; null without one. */
  #dismissed: number | null = null;

  constructor({ slots, keptPrefixes, context }: PlacementOptions) {
    this.#slots = slots;
    this.#keptPrefixes = keptPrefixes;
    this.#context = context;
  }

  /** How many sequences the workers can hold together. A dismissed worker counts with those that it still has. */
  get capacity(): number {
    const { size } = this.#workers;
    if (this.#dismissed === null) return size * this.#slots;
    return (size - 1) * this.#slots + this.#workers.get(this.#dismissed)!.sequences.size;
  }

  get dismissed(): number | null {
    return this.#dismissed;
  }

  /** Gives no more work to the oldest worker, which is the one with the lowest thread id. */
  dismissOldest(): void {
    if (this.#workers.size > 0) this.#dismissed = Math.min(...this.#workers.keys());
  }

  get workers(): number {
    return this.#workers.size;
  }

  /**
   * Adds a worker that is ready.
   * @param rank among equals, the worker with the lowest rank is chosen
   */
  join(worker: number, rank: number): void {
    const recent = new RecentPrompts(this.#slots + this.#keptPrefixes);
    this.#workers.set(worker, { rank, sequences: new Set(), recent });
  }

  /** Forgets all workers that are not in `living`, and their sequences. @returns whether there were any */
  keep(living: ReadonlySet<number>): boolean {
    const dead = [...this.#workers.keys()].filter((worker) => !living.has(worker));
    for (const worker of dead) this.#workers.delete(worker);
    if (this.#dismissed !== null && !living.has(this.#dismissed)) this.#dismissed = null;
    return dead.length > 0;
  }

  /**
   * Takes a slot for a sequence; null if none is free, or all workers with one are in other company. Among equals it prefers the first worker: its caches are warm, and
   * it alone has a session of more threads.
   */
  place(work: Work, company: Company = null): Placed | null {
    const { promptIds, maxTokens, promptLogprobs, caller } = work;
    // Only the end that fits the context, as in the engine's `Sequence`.
    const window = promptIds.length <= this.#context ? promptIds : promptIds.slice(-this.#context);
    const prompt = beginnings(window, caller);
    let best: { worker: number; rank: number; unread: number; cost: number } | null = null;
    for (const [worker, { rank, sequences, recent }] of this.#workers) {
      if (sequences.size >= this.#slots || worker === this.#dismissed) continue;
      const [first] = sequences;
      if (first !== undefined && first.company !== company) continue;
      // The last token is never taken from the cache: its logits are needed.
      const cached = promptLogprobs ? 0 : recent.cached(prompt, window.length - 1);
      const unread = window.length - cached;
      const cost = added(sequences, unread, maxTokens);
      if (best === null || cost < best.cost || (cost === best.cost && rank < best.rank))
        best = { worker, rank, unread, cost };
    }
    if (best === null) return null;
    const placed: Placed = { worker: best.worker, company, unread: best.unread, remaining: maxTokens };
    this.#take(placed, prompt);
    return placed;
  }

  /** Notes that a sequence's prompt has been read. */
  read(placed: Placed): void {
    placed.unread = 0;
  }

  /** Notes that a sequence has written `tokens` more. */
  wrote(placed: Placed, tokens: number): void {
    placed.unread = 0;
    placed.remaining = Math.max(0, placed.remaining - tokens);
  }

  has(worker: number): boolean {
    return this.#workers.has(worker);
  }

  /** Whether a worker has a sequence. */
  hasWork(worker: number): boolean {
    return (this.#workers.get(worker)?.sequences.size ?? 0) > 0;
  }

  /** Frees a sequence's slot; does nothing if its worker is dead. */
  end(placed: Placed): void {
    this.#workers.get(placed.worker)?.sequences.delete(placed);
  }

  #take(placed: Placed, prompt: Beginnings): void {
    const { sequences, recent } = this.#workers.get(placed.worker)!;
    sequences.add(placed);
    recent.add(prompt);
  }
}

/** How much a new sequence adds to the sum of the times until a worker's sequences end, its own included. */
function added(sequences: Iterable<Placed>, unread: number, maxTokens: number): number {
  let before = 0;
  let decoding = 0;
  let others = 0;
  let shared = 0;
  for (const sequence of sequences) {
    others++;
    before += sequence.unread;
    if (sequence.unread === 0) decoding++;
    // In the steps that both sequences take part in, each makes the step longer for the other.
    shared += Math.min(sequence.remaining, maxTokens);
  }
  const turns = decoding === 0 ? 0 : Math.ceil(unread / CHUNK) * (STEP + decoding);
  const own = (before + unread) * PROMPT_TOKEN + turns + maxTokens * (STEP + 1) + shared;
  return own + others * unread * PROMPT_TOKEN + shared;
}
