import { setTimeout as sleep } from "node:timers/promises";
import { OnnxSession } from "../../../workers/onnx/session.js";
import type { DecodeFigures, PrefillFigures } from "../results/results.js";
import { mean, median } from "../results/statistics.js";
import { Rig } from "./rig.js";

export interface StepsInput {
  folder: string;
  threads: number;
  batches: number[];
  /** Tokens in each sequence's cache, as shares of the window. */
  depths: number[];
  /** Prompt lengths in tokens; those beyond the window are skipped. */
  prefills: number[];
  /** Time for measuring one cell of the table. */
  milliseconds: number;
}

/** Timed steps of one batch, and untimed ones before them. */
const STEPS = 12;
const SETTLING = 6;
const SETTLING_MS = 20;
const PREFILLS = 8;
/** Share of the steps that count. The slowest are dropped: something else ran on the machine meanwhile. */
const COUNTED = 0.75;
const WARM_UP_STEPS = 200;

interface Bench {
  rig: Rig;
  /** Milliseconds spent in the runtime since the last call. */
  native(): number;
}

/** Times the engine's decode steps by batch size and depth, and the prefill of one prompt by length. */
export async function steps(
  input: StepsInput,
): Promise<{ decode: DecodeFigures[]; prefill: PrefillFigures[] }> {
  const { batches, depths, prefills, milliseconds } = input;
  const native = watchRuntime();
  const rig = await Rig.open({ ...input, slots: Math.max(...batches) });
  const bench = { rig, native };
  const { context } = rig.shape;
  const decode: DecodeFigures[] = [];
  const prefill: PrefillFigures[] = [];
  await warmUp(rig);
  for (const share of depths) {
    const depth = Math.max(SETTLING + STEPS + 4, Math.floor(share * context));
    for (const batch of batches) decode.push(await decodeCell(bench, batch, depth, milliseconds));
  }
  for (const tokens of prefills.filter((tokens) => tokens < context))
    prefill.push(await prefillCell(bench, tokens));
  await rig.close();
  return { decode, prefill };
}

/**
 * Adds up the time of the model's runs by patching the session's method. Nothing but this measurement runs in the
 * process.
 */
function watchRuntime(): () => number {
  let spent = 0;
  const { run } = OnnxSession.prototype;
  OnnxSession.prototype.run = function (...args) {
    const started = performance.now();
    return run.apply(this, args).finally(() => {
      spent += performance.now() - started;
    });
  };
  return () => {
    const taken = spent;
    spent = 0;
    return taken;
  };
}

/** Lets V8 compile the step's code, which would otherwise slow down the first cell. */
async function warmUp(rig: Rig): Promise<void> {
  const sequences = await rig.startAtDepth(Math.min(8, rig.cache.slots), 1);
  for (let i = 0; i < WARM_UP_STEPS && sequences[0]!.ids.length < rig.shape.context - 2; i++)
    await rig.engine.step();
  await rig.clear(sequences);
}

async function decodeCell(
  { rig, native }: Bench,
  batch: number,
  depth: number,
  milliseconds: number,
): Promise<DecodeFigures> {
  const timed: { step: number; native: number }[] = [];
  let spent = 0;
  while (spent < milliseconds) {
    await sleep(SETTLING_MS);
    // No sequence may reach the end of the window, where it would slide.
    const sequences = await rig.startAtDepth(batch, depth - SETTLING - STEPS - 2);
    for (let i = 0; i < SETTLING; i++) await rig.engine.step();
    for (let i = 0; i < STEPS; i++) {
      native();
      const started = performance.now();
      await rig.engine.step();
      const step = performance.now() - started;
      timed.push({ step, native: native() });
      spent += step;
    }
    await rig.clear(sequences);
  }
  const counted = timed.sort((a, b) => a.step - b.step).slice(0, Math.ceil(COUNTED * timed.length));
  return {
    batch,
    depth,
    step: mean(counted.map((one) => one.step)),
    native: mean(counted.map((one) => one.native)),
  };
}

async function prefillCell({ rig, native }: Bench, tokens: number): Promise<PrefillFigures> {
  const timed: { total: number; native: number }[] = [];
  await sleep(SETTLING_MS);
  for (let i = -2; i < PREFILLS; i++) {
    // Each prompt differs from its first token on, so that the cache of one can't serve the next.
    const id = (j: number) => (17 * (i + 2) + 31 * j + i * j) % rig.shape.vocabulary;
    native();
    const started = performance.now();
    rig.add(
      Array.from({ length: tokens }, (_, j) => id(j)),
      1,
      i,
    );
    await rig.engine.run();
    if (i >= 0) timed.push({ total: performance.now() - started, native: native() });
  }
  return {
    tokens,
    total: median(timed.map(({ total }) => total)),
    native: median(timed.map((one) => one.native)),
  };
}
