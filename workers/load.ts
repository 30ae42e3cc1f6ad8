import { rmSync } from "node:fs";
import { dirname } from "node:path";
import { threadId } from "node:worker_threads";
import { type ModelFolder, readModelFolder } from "../models/folder.js";
import { ABSENT, compare, type SelfTestResult } from "../models/self-test.js";
import { type ModelShape, modelShape } from "../models/shape.js";
import { agree, ElasticSession } from "./elastic-session.js";
import { FIXED, type Grid, gridOf } from "./engine/cache/grid.js";
import { KvCache } from "./engine/cache/kv-cache.js";
import { Engine } from "./engine/engine.js";
import { compareCuts, FEW_CUTS, scattered } from "./engine/exactness.js";
import { readPrompt } from "./engine/reader.js";
import type { StepSession } from "./engine/step-session.js";
import { Gauges } from "./gauges.js";
import { Programs } from "./grammar/programs.js";
import { Halt } from "./halt.js";
import { Occupancy } from "./occupancy.js";
import { verifyPrepared } from "./onnx/prepare.js";
import { OnnxSession, type SessionOptions } from "./onnx/session.js";
import { Progress } from "./progress.js";
import type { WorkerSetup } from "./protocol.js";

export interface LoadOptions {
  setup: WorkerSetup;
  /** The worker's place among those of the pool. */
  index: number;
  deviceId: number;
  /** How a session is opened; tests watch the runs of each. */
  open?: (file: string, model: ModelShape, options: SessionOptions) => Promise<OpenedSession>;
  /** In milliseconds; tests say how long runs take. */
  now?: () => number;
}

export interface OpenedSession extends StepSession {
  close(): Promise<void>;
}

/** A model that a worker has loaded, and what its sequences run on. */
export interface Loaded {
  model: ModelFolder;
  engine: Engine;
  programs: Programs;
  selfTest: SelfTestResult;
  /** Something that is not as planned, for the log. */
  remark: string | undefined;
}

/** @throws one line, if the model can't be loaded or its numbers are wrong */
export async function load(options: LoadOptions): Promise<Loaded> {
  const { prepared } = options.setup;
  if (prepared === null) return loadFrom(options, null);
  try {
    verifyPrepared(dirname(prepared));
    return await loadFrom(options, prepared);
  } catch (error) {
    discard(dirname(prepared));
    const loaded = await loadFrom(options, null);
    const remark = `the copy of the weights for this machine can't be used, and this worker has its own: ${(error as Error).message}`;
    return { ...loaded, remark: [remark, loaded.remark].filter((one) => one !== undefined).join("; ") };
  }
}

/** So that the next start makes another copy. */
function discard(copy: string): void {
  try {
    rmSync(copy, { recursive: true, force: true });
  } catch {
    // On a disk that is read-only, say. The worker doesn't need the copy.
  }
}

async function loadFrom(options: LoadOptions, prepared: string | null): Promise<Loaded> {
  const { setup, index, deviceId, open: openSession = OnnxSession.open, now } = options;
  const { device, threadsAlone } = setup;
  const model = readModelFolder(setup.modelDir);
  const shape = modelShape(model.config);
  const halt = Halt.over(setup.halt);
  const occupancy = Occupancy.over(setup.occupancy);
  const progress = Progress.over(setup.progress);
  // Before anything that takes long: later it could be the part of this worker's successor.
  const observer = Gauges.over(setup.gauges, setup.slots).observer(index, () => progress.step(index));
  const isReplaced = () => isReplacedAt(setup, index);
  /** Ends this thread if it was replaced. The main thread can't end one that is inside the native runtime. */
  const leave = () => {
    if (isReplaced()) process.exit(1);
  };
  const open = async (threads: number) => {
    const options = { device, deviceId, threads, prepared: prepared !== null };
    const file = prepared ?? model.graphPath;
    const opened = await halt.inside(index, () => openSession(file, shape, options), leave);
    leave();
    return opened;
  };
  const haltable = (session: StepSession): StepSession => ({
    run: async (inputs) => {
      const outputs = await halt.inside(
        index,
        () => progress.run(index, () => session.run(inputs), isReplaced),
        leave,
      );
      leave();
      return outputs;
    },
  });
  const narrow = haltable(await open(setup.threads));
  const selfTest = await runSelfTest(model, narrow);
  let session = narrow;
  const remarks: string[] = [];
  const grid = await chooseGrid(narrow, shape);
  if (grid !== gridOf(shape))
    remarks.push(
      "the numbers of an int8 model depend on how its tokens are cut here: chunks are fixed, and nothing is drafted",
    );
  // A request that finds all workers idle goes to the first one, so only that one needs a second session.
  if (index === 0 && threadsAlone > setup.threads) {
    const opened = await open(threadsAlone);
    const wide = haltable(opened);
    // `agree` tries the fixed cuts alone.
    if ((await agree(narrow, wide, shape)) && (!grid.isFree || (await isExact(wide, shape))))
      session = new ElasticSession({ narrow, wide, isAlone: () => occupancy.isAlone(index), now });
    else {
      await opened.close();
      remarks.push(`${threadsAlone} threads compute other bits than ${setup.threads} here, and are not used`);
    }
  }
  const cache = new KvCache(shape, setup.slots + setup.keptPrefixes);
  const engine = new Engine(session, cache, shape.vocabulary, { observer, most: setup.slots, grid });
  const programs = new Programs(model.tokenizer, shape.vocabulary);
  return { model, engine, programs, selfTest, remark: remarks.join("; ") || undefined };
}

/**
 * Whether the main thread has taken this thread's device away: it was stuck for so long that a successor runs its
 * sequences. Asked when the halt has noted that it enters, so that either this thread sees that it was replaced, or the main
 * thread sees it inside.
 */
function isReplacedAt({ claims }: WorkerSetup, index: number): boolean {
  return Atomics.load(new Int32Array(claims), index) !== threadId;
}

/** How prompts are cut: freely only where this machine computes the same bits in each of a few cuts. */
async function chooseGrid(session: StepSession, shape: ModelShape): Promise<Grid> {
  const grid = gridOf(shape);
  return !grid.isFree || (await isExact(session, shape)) ? grid : FIXED;
}

/** Whether a session computes the same bits for a short text in each of a few cuts. */
async function isExact(session: StepSession, shape: ModelShape): Promise<boolean> {
  const ids = scattered(Math.min(16, shape.context), shape.vocabulary);
  const { differing } = await compareCuts(session, shape, ids, FEW_CUTS);
  return differing === 0;
}

/** @throws one line that names the folder, if the numbers are wrong */
async function runSelfTest(
  { dir, config, selfTest }: ModelFolder,
  session: StepSession,
): Promise<SelfTestResult> {
  if (selfTest === null) return ABSENT;
  const logits = await readPrompt(session, modelShape(config), selfTest.ids);
  try {
    return compare(selfTest, logits.at(-1)!, config.precision);
  } catch (error) {
    throw new Error(`model folder ${dir}: ${(error as Error).message}`);
  }
}
