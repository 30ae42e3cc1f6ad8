import type { ModelShape } from "../models/shape.js";
import { Contest } from "./contest.js";
import { FIXED } from "./engine/cache/grid.js";
import type { CacheArray } from "./engine/cache/plane.js";
import { Reader } from "./engine/reader.js";
import type { StepInputs, StepOutputs, StepSession } from "./engine/step-session.js";

export interface ElasticSessionOptions {
  /** A session of few threads. */
  narrow: StepSession;
  /** A session of more threads that computes the same bits. */
  wide: StepSession;
  /** Whether the other workers are idle. */
  isAlone(): boolean;
  /** In milliseconds. */
  now?: (() => number) | undefined;
}

/**
 * Runs steps on few threads while other workers are busy, and on more while they are idle, if that is faster. It may
 * be slower where other processes use the machine, since a run waits for its slowest thread.
 */
export class ElasticSession implements StepSession {
  readonly #narrow: StepSession;
  readonly #wide: StepSession;
  readonly #isAlone: () => boolean;
  readonly #now: () => number;
  /** By the size of a run, in powers of two: what is faster for a prompt may be slower for a token. */
  readonly #contests = new Map<number, Contest>();

  constructor({ narrow, wide, isAlone, now = () => performance.now() }: ElasticSessionOptions) {
    this.#narrow = narrow;
    this.#wide = wide;
    this.#isAlone = isAlone;
    this.#now = now;
  }

  async run(inputs: StepInputs): Promise<StepOutputs> {
    if (!this.#isAlone()) return this.#narrow.run(inputs);
    const rows = inputs.batch * inputs.chunk;
    const contest = this.#contest(Math.ceil(Math.log2(rows)));
    const way = contest.next();
    const start = this.#now();
    const outputs = await (way === 0 ? this.#narrow : this.#wide).run(inputs);
    // A worker that has become busy meanwhile took some of the cores.
    if (this.#isAlone()) contest.took(this.#now() - start, rows);
    return outputs;
  }

  #contest(size: number): Contest {
    const known = this.#contests.get(size);
    if (known) return known;
    const contest = new Contest();
    this.#contests.set(size, contest);
    return contest;
  }
}

/** Tokens that `agree` feeds as prompts, and then one by one. */
const AGREED_PROMPT = 64;
const AGREED_STEPS = 4;

/**
 * Whether two sessions of one model compute the same bits on this machine, by a trial of both kinds of run that a server
 * makes. A request's text must not depend on what else runs, and so not on the session.
 */
export async function agree(a: StepSession, b: StepSession, shape: ModelShape): Promise<boolean> {
  const [reader, other] = [new Reader(a, shape, 1), new Reader(b, shape, 1)];
  const { context, vocabulary } = shape;
  for (let at = 0; at < Math.min(context, AGREED_PROMPT + AGREED_STEPS); ) {
    const count = at < AGREED_PROMPT ? Math.min(FIXED.chunk(at, 0), context - at) : 1;
    // Any ids do; 7919 is prime.
    const ids = Int32Array.from({ length: count }, (_, i) => ((at + i) * 7919) % vocabulary);
    const [expected, actual] = [await reader.read(ids), await other.read(ids)];
    const [rows, others] = [expected.present, actual.present];
    const pairs = [
      [expected.logits, actual.logits],
      [rows.keys, others.keys],
      [rows.values, others.values],
    ] as const;
    if (!pairs.every(([a, b]) => isSame(a, b))) return false;
    at += count;
  }
  return true;
}

const isSame = (a: CacheArray, b: CacheArray) =>
  a.length === b.length && a.every((value, i) => Object.is(value, b[i]));
