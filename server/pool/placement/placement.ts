import { chunkAt } from "../../../workers/engine/cache/chunks.js";
import { type Beginnings, beginnings, RecentPrompts } from "./recent-prompts.js";

/**
 * Costs of a worker's work. The unit is the time by which each sequence makes a decode step longer. Measured on one thread
 * (24 MB of int8 weights): a step takes 0.7 ms + 0.4 ms for each sequence, a prompt 0.2 ms a token. Other machines and
 * models differ in the unit, far less in the ratios.
 */
const STEP = 2;
const PROMPT_TOKEN = 0.5;
/** Between two runs that prefill, a worker runs a step of all its sequences that decode. */
const CHUNK = chunkAt(Number.POSITIVE_INFINITY);

/** A sequence to place. */
export interface Work {
  promptIds: readonly number[];
  maxTokens: number;
  /** Its prompt is computed in full, without the cache's help. */
  promptLogprobs: boolean;
}

/** A sequence that a worker has, from `place` to `end`. */
export interface Placed {
  /** Thread id. */
  readonly worker: number;
  /** Tokens of its prompt that are to be computed; 0 once it has been read. */
  unread: number;
  /** The most tokens that it may yet write. */
  remaining: number;
}

export interface PlacementOptions {
  /** Sequences that a worker runs at once. */
  slots: number;
  /** The model's context in tokens; of a longer prompt only the end is read. */
  context: number;
}

interface Worker {
  readonly rank: number;
  readonly sequences: Set<Placed>;
  readonly recent: RecentPrompts;
}

/**
 * Which worker a sequence goes to: to the one where it adds least to the time until everybody is answered, itself
 * included. With the workers idle that is the one that answers it soonest; among busy ones it's also the one where
 * it holds up the others least, so a prompt whose beginning a worker has cached goes there unless that worker is so much
 * busier that computing it elsewhere is cheaper.
 *
 * Knows no threads and no clock: it is told what starts, is read, is written and ends.
 */
export class Placement {
  readonly #slots: number;
  readonly #context: number;
  /** By thread id, those that can take work. */
  readonly #workers = new Map<number, Worker>();

  constructor({ slots, context }: PlacementOptions) {
    this.#slots = slots;
    this.#context = context;
  }

  /** How many sequences the workers can hold together. */
  get capacity(): number {
    return this.#workers.size * this.#slots;
  }

  /** How many workers there are. */
  get workers(): number {
    return this.#workers.size;
  }

  /**
   * A worker is ready.
   * @param rank which of equals takes a sequence: the one with the lowest
   */
  join(worker: number, rank: number): void {
    this.#workers.set(worker, { rank, sequences: new Set(), recent: new RecentPrompts(this.#slots) });
  }

  /** Forgets all workers but these, and the sequences that they had; says whether there were any. */
  keep(living: ReadonlySet<number>): boolean {
    const dead = [...this.#workers.keys()].filter((worker) => !living.has(worker));
    for (const worker of dead) this.#workers.delete(worker);
    return dead.length > 0;
  }

  /**
   * Takes a slot for a sequence; null where none is free. Of equals the first worker takes it, whose caches are warm, and who
   * alone has a session of more threads.
   */
  place(work: Work): Placed | null {
    const { promptIds, maxTokens, promptLogprobs } = work;
    // The engine's window; see `Sequence`.
    const window = promptIds.length <= this.#context ? promptIds : promptIds.slice(-this.#context);
    const prompt = beginnings(window);
    let best: { worker: number; rank: number; unread: number; cost: number } | null = null;
    for (const [worker, { rank, sequences, recent }] of this.#workers) {
      if (sequences.size >= this.#slots) continue;
      // The last token is always computed: its logits are wanted.
      const cached = promptLogprobs ? 0 : recent.cached(prompt, window.length - 1);
      const unread = window.length - cached;
      const cost = added(sequences, unread, maxTokens);
      if (best === null || cost < best.cost || (cost === best.cost && rank < best.rank))
        best = { worker, rank, unread, cost };
    }
    if (best === null) return null;
    const placed: Placed = { worker: best.worker, unread: best.unread, remaining: maxTokens };
    this.#take(placed, prompt);
    return placed;
  }

  /** A sequence's prompt has been read. */
  read(placed: Placed): void {
    placed.unread = 0;
  }

  /** A sequence has written some tokens more. */
  wrote(placed: Placed, tokens: number): void {
    placed.unread = 0;
    placed.remaining = Math.max(0, placed.remaining - tokens);
  }

  /** A sequence has left its worker; does nothing where the worker is gone. */
  end(placed: Placed): void {
    this.#workers.get(placed.worker)?.sequences.delete(placed);
  }

  #take(placed: Placed, prompt: Beginnings): void {
    const { sequences, recent } = this.#workers.get(placed.worker)!;
    sequences.add(placed);
    recent.add(prompt);
  }
}

/** By how much a newcomer adds to the sum of the times at which a worker's sequences end, its own included. */
function added(sequences: Iterable<Placed>, unread: number, maxTokens: number): number {
  let before = 0;
  let decoding = 0;
  let others = 0;
  let shared = 0;
  for (const sequence of sequences) {
    others++;
    before += sequence.unread;
    if (sequence.unread === 0) decoding++;
    // Steps that both take part in; each is longer for either.
    shared += Math.min(sequence.remaining, maxTokens);
  }
  const turns = decoding === 0 ? 0 : Math.ceil(unread / CHUNK) * (STEP + decoding);
  const own = (before + unread) * PROMPT_TOKEN + turns + maxTokens * (STEP + 1) + shared;
  return own + others * unread * PROMPT_TOKEN + shared;
}
