import { parentPort, threadId, workerData } from "node:worker_threads";
import { type ModelFolder, readModelFolder } from "../models/folder.js";
import { ABSENT, compare, type SelfTestResult } from "../models/self-test.js";
import { modelShape } from "../models/shape.js";
import { agree, ElasticSession } from "./elastic-session.js";
import { KvCache } from "./engine/cache/kv-cache.js";
import type { Constraint } from "./engine/constraint.js";
import { Engine } from "./engine/engine.js";
import { failure } from "./engine/outcome.js";
import { readPrompt } from "./engine/reader.js";
import { Sequence } from "./engine/sequence.js";
import type { StepSession } from "./engine/step-session.js";
import { Programs } from "./grammar/programs.js";
import { Halt } from "./halt.js";
import { Occupancy } from "./occupancy.js";
import { OnnxSession } from "./onnx/session.js";
import { Outbox } from "./outbox.js";
import type { FromSequence, FromWorker, GenerateTask, ToSequence, WorkerSetup } from "./protocol.js";
import { spellings } from "./stop-spellings.js";

const setup = workerData as WorkerSetup;
/**
 * Loading begins at once, so that the first request finds the model loaded. A failure is reported, and every task then
 * fails with it.
 */
const loading = load();
loading.then(
  ({ selfTest, remark }) => report({ type: "ready", threadId, selfTest, remark }),
  (error: Error) => report({ type: "failed", message: error.message }),
);

const occupancy = Occupancy.over(setup.occupancy);
const outbox = new Outbox({ post: (deltas) => report({ type: "deltas", deltas }) });

/** The pool's entry: one task is one sequence, and resolves when it has left the engine. */
export default async function generate(task: GenerateTask): Promise<void> {
  const { engine, model, programs, index } = await loading;
  const { config, eosId, tokenizer } = model;
  const ends = task.ignoreEos ? null : eosId;
  occupancy.enter(index);
  const end = (outcome: FromSequence) => {
    occupancy.leave(index);
    outbox.close(task.id);
    task.port.postMessage(outcome);
    task.port.close();
  };
  let constraint: Constraint | null = null;
  try {
    if (task.grammar) constraint = programs.constraint(task.grammar, ends);
  } catch (error) {
    return end(failure(error));
  }
  await new Promise<void>((resolve) => {
    const sequence = new Sequence({
      ...task,
      stop: task.stop.flatMap((stop) => spellings(stop, tokenizer)),
      eosId: ends,
      context: config.n_positions,
      contextStride: setup.contextStride,
      constraint,
      decoder: tokenizer,
      // A stream's first text tells the same.
      onRead: task.stream ? undefined : () => report({ type: "read", id: task.id }),
      onText: task.stream ? (...delta) => outbox.add(task.id, ...delta) : undefined,
      onEnd(outcome) {
        end(outcome);
        resolve();
      },
    });
    task.port.on("message", (message: ToSequence) => {
      if (message.type === "cancel") sequence.cancelled = true;
    });
    if (task.stream) outbox.open(task.id);
    engine.add(sequence);
    // New tasks and cancellations come in through the event loop, between two steps.
    void engine.run();
  });
}

async function load() {
  const { index, deviceId } = claimDevice();
  const model = readModelFolder(setup.modelDir);
  const shape = modelShape(model.config);
  const halt = Halt.over(setup.halt);
  const open = (threads: number) =>
    halt.inside(index, () => OnnxSession.open(model.graphPath, shape, { ...setup, deviceId, threads }));
  const haltable = (session: StepSession): StepSession => ({
    run: (inputs) => halt.inside(index, () => session.run(inputs)),
  });
  const narrow = haltable(await open(setup.threads));
  const selfTest = await runSelfTest(model, narrow);
  let session = narrow;
  let remark: string | undefined;
  // A request that finds all workers idle goes to the first one, so only that one needs a second copy of the weights.
  if (index === 0 && setup.threadsAlone > setup.threads) {
    const opened = await open(setup.threadsAlone);
    const wide = haltable(opened);
    if (await agree(narrow, wide, shape))
      session = new ElasticSession({ narrow, wide, isAlone: () => occupancy.isAlone(index) });
    else {
      await opened.close();
      remark = `${setup.threadsAlone} threads compute other bits than ${setup.threads} here, and are not used`;
    }
  }
  const cache = new KvCache(shape, setup.slots);
  const engine = new Engine(session, cache, shape.vocabulary);
  const programs = new Programs(model.tokenizer, shape.vocabulary);
  return { engine, model, programs, selfTest, index, remark };
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

/** Takes a device that no living worker holds; the claim outlives the thread until the main thread frees it. */
function claimDevice(): { index: number; deviceId: number } {
  const claims = new Int32Array(setup.claims);
  const index = setup.deviceIds.findIndex((_, i) => Atomics.compareExchange(claims, i, 0, threadId) === 0);
  const deviceId = setup.deviceIds[index];
  if (deviceId === undefined) throw new Error(`no device is left for worker ${threadId}`);
  return { index, deviceId };
}

function report(message: FromWorker): void {
  parentPort?.postMessage(message);
}
