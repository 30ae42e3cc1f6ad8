import { setTimeout as sleep } from "node:timers/promises";
import type { ModelConfig } from "../../../models/config.js";
import { cacheBytesPerSlot } from "../../../models/folder.js";
import { KvCache } from "../../../workers/engine/cache/kv-cache.js";
import { Sampler } from "../../../workers/engine/sampling/sampler.js";
import { Sequence } from "../../../workers/engine/sequence.js";
import { OnnxSession } from "../../../workers/onnx/session.js";
import { mean, median } from "../statistics.js";
import { Ledger } from "./ledger.js";
import { Products, productBytes } from "./products.js";
import { Reading } from "./reading.js";
import { Rig } from "./rig.js";

export interface StepsInput {
  folder: string;
  threads: number;
  batches: number[];
  /** Of the window. */
  depths: number[];
  /** Prompt lengths; those beyond the window are left out. */
  prefills: number[];
  /** Of measuring one cell of the table, without its ceiling. */
  milliseconds: number;
}

/** A decode step; times in milliseconds. */
export interface DecodeFigures {
  batch: number;
  /** Tokens in each sequence's cache. */
  depth: number;
  step: number;
  /** What the step consists of; they add up to it. */
  native: number;
  sampling: number;
  cache: number;
  /** Taking the token in: its text, and whether it ends the sequence. */
  delivery: number;
  rest: number;
  /** The ceilings: the weights' products alone, these with attention's, and for a batch of 1 reading weights and cache. */
  products: number;
  productsAndAttention: number;
  reading: number | null;
  /** The same bytes at the rate at which memory is read that no cache holds. */
  memory: number | null;
}

/** A prompt's prefill, without its first token; times in milliseconds. */
export interface PrefillFigures {
  tokens: number;
  total: number;
  native: number;
  products: number;
}

export interface StepsFigures {
  decode: DecodeFigures[];
  prefill: PrefillFigures[];
}

/** Steps that are timed between two looks at the ceiling, and runs of a ceiling. */
const STEPS = 12;
/**
 * Steps or runs before them that don't count: the runtime's threads of one session spin for a while after its last run,
 * on the cores that the next session's threads are to run on.
 */
const SETTLING = 6;
const SETTLING_MS = 20;
const PREFILLS = 8;
/** Of the steps, those that count: the slowest met something else that ran on the machine. */
const COUNTED = 0.75;

const WARM_UP_STEPS = 200;
const BEYOND_CACHES = 2 ** 28;
const PARTS = ["native", "sampling", "cache", "delivery"] as const;
type Part = (typeof PARTS)[number];
type Step = Record<Part, number> & { step: number };

/** Times the engine's steps and, in the same seconds, their ceilings: a machine's speed drifts. */
export async function steps(input: StepsInput): Promise<StepsFigures> {
  const ledger = watchEngine();
  const { threads, batches } = input;
  const rig = await Rig.open({ ...input, slots: Math.max(...batches) });
  const { config } = rig.model;
  const products = await Products.open(config, threads);
  const context = config.n_positions;
  const memoryRate = await readingRate(threads);
  const decode: DecodeFigures[] = [];
  const prefill: PrefillFigures[] = [];
  await warmUp(rig);
  for (const share of input.depths) {
    const depth = Math.max(SETTLING + STEPS + 4, Math.floor(share * context));
    const bytes = bytesOfStep(config, depth);
    const reading = await Reading.open(bytes, threads);
    const bench = { input, rig, ledger, products, reading, fromMemory: bytes / memoryRate };
    for (const batch of batches) decode.push(await decodeCell(bench, batch, depth));
    await reading.close();
  }
  for (const tokens of input.prefills.filter((tokens) => tokens < context))
    prefill.push(await prefillCell({ input, rig, ledger, products }, tokens));
  await products.close();
  await rig.close();
  return { decode, prefill };
}

export function watchEngine(): Ledger<Part> {
  const ledger = new Ledger<Part>();
  ledger.watch("native", OnnxSession.prototype, "run");
  ledger.watch("sampling", Sampler.prototype, "sample");
  ledger.watch("delivery", Sequence.prototype, "push");
  for (const method of ["append", "past", "take", "pack", "unpack", "extend", "swap"] as const)
    ledger.watch("cache", KvCache.prototype, method);
  return ledger;
}

/** What a step of one sequence has to read at least. */
function bytesOfStep(config: ModelConfig, depth: number): number {
  return productBytes(config) + (cacheBytesPerSlot(config) * depth) / config.n_positions;
}

/** Lets V8 compile what the steps run: the first cell would pay for it. */
async function warmUp(rig: Rig): Promise<void> {
  const sequences = await rig.startAtDepth(Math.min(8, rig.cache.slots), 1);
  for (let i = 0; i < WARM_UP_STEPS && sequences[0]!.ids.length < rig.shape.context - 2; i++)
    await rig.engine.step();
  await rig.clear(sequences);
}

/** Bytes that are read in a millisecond from a buffer far larger than any cache. */
async function readingRate(threads: number): Promise<number> {
  const reading = await Reading.open(BEYOND_CACHES, threads);
  const time = await reading.measure(3);
  await reading.close();
  return BEYOND_CACHES / time;
}

interface Bench {
  input: StepsInput;
  rig: Rig;
  ledger: Ledger<Part>;
  products: Products;
}

async function decodeCell(
  { input, rig, ledger, products, reading, fromMemory }: Bench & { reading: Reading; fromMemory: number },
  batch: number,
  depth: number,
): Promise<DecodeFigures> {
  const weights = products.prepare({ rows: batch, outputs: batch, depth: 0 });
  const attention = products.prepare({ rows: batch, outputs: batch, depth });
  const timed: Step[] = [];
  const ceilings = { weights: [] as number[], attention: [] as number[], reading: [] as number[] };
  let spent = 0;
  do {
    await sleep(SETTLING_MS);
    // None may reach the end of the window, where it would slide.
    const sequences = await rig.startAtDepth(batch, depth - SETTLING - STEPS - 2);
    for (let i = 0; i < SETTLING; i++) await rig.engine.step();
    for (let i = 0; i < STEPS; i++) timed.push(await timedStep(rig, ledger));
    await rig.clear(sequences);
    ceilings.weights.push(await settled(weights));
    ceilings.attention.push(await settled(attention));
    if (batch === 1) {
      await sleep(SETTLING_MS);
      ceilings.reading.push(await reading.measure(STEPS));
    }
    spent = timed.reduce((sum, { step }) => sum + step, 0);
  } while (spent < input.milliseconds);
  const figures = meanOfFastest(timed);
  return {
    batch,
    depth,
    ...figures,
    rest: PARTS.reduce((rest, part) => rest - figures[part], figures.step),
    products: median(ceilings.weights),
    productsAndAttention: median(ceilings.attention),
    reading: batch === 1 ? median(ceilings.reading) : null,
    memory: batch === 1 ? fromMemory : null,
  };
}

/** The median of some runs, once they run undisturbed. */
async function settled(run: () => Promise<number>): Promise<number> {
  await sleep(SETTLING_MS);
  const times: number[] = [];
  for (let i = 0; i < SETTLING + STEPS; i++) times.push(await run());
  return median(times.slice(SETTLING));
}

async function timedStep(rig: Rig, ledger: Ledger<Part>): Promise<Step> {
  for (const part of PARTS) ledger.take(part);
  const started = performance.now();
  await rig.engine.step();
  const step = performance.now() - started;
  return perPart((part) => (part === "step" ? step : ledger.take(part)));
}

function meanOfFastest(timed: readonly Step[]): Step {
  const counted = timed.toSorted((a, b) => a.step - b.step).slice(0, Math.ceil(COUNTED * timed.length));
  return perPart((part) => mean(counted.map((one) => one[part])));
}

function perPart(time: (part: keyof Step) => number): Step {
  const parts = [...PARTS, "step"] as const;
  return Object.fromEntries(parts.map((part) => [part, time(part)])) as Step;
}

async function prefillCell({ rig, ledger, products }: Bench, tokens: number): Promise<PrefillFigures> {
  const ceiling = products.prepare({ rows: tokens, outputs: 1, depth: 0 });
  const total: number[] = [];
  const native: number[] = [];
  await sleep(SETTLING_MS);
  for (let i = -2; i < PREFILLS; i++) {
    // Another prompt each time, from its first token on: what was computed for one must not serve the next.
    const ids = Array.from(
      { length: tokens },
      (_, j) => (17 * (i + 2) + 31 * j + i * j) % rig.shape.vocabulary,
    );
    ledger.take("native");
    const started = performance.now();
    rig.add({ ids, maxTokens: 1, seed: i });
    await rig.engine.run();
    const ended = performance.now();
    if (i < 0) continue;
    total.push(ended - started);
    native.push(ledger.take("native"));
  }
  return { tokens, total: median(total), native: median(native), products: await settled(ceiling) };
}
