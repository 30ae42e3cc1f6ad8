import { setFlagsFromString } from "node:v8";
import { parentPort, threadId, workerData } from "node:worker_threads";
import type { Constraint } from "./engine/constraint.js";
import { failure } from "./engine/outcome.js";
import { Sequence } from "./engine/sequence.js";
import { Stores } from "./engine/speculation/stores.js";
import { load } from "./load.js";
import { Occupancy } from "./occupancy.js";
import { Outbox } from "./outbox.js";
import type { FromSequence, FromWorker, GenerateTask, ToSequence, WorkerSetup } from "./protocol.js";
import { spellings } from "./stop-spellings.js";

// Each step leaves buffers of logits behind. V8 would free them in other threads, which takes cores and memory pools from the
// workers: 12 % of the tokens at 32 clients on two cores.
setFlagsFromString("--no-concurrent-array-buffer-sweeping");

const setup = workerData as WorkerSetup;
/**
 * Loading begins at once, so that the first request finds the model loaded. A failure is reported, and every task then
 * fails with it.
 */
const loading = start();
loading.then(
  ({ selfTest, remark }) => report({ type: "ready", threadId, selfTest, remark }),
  (error: Error) => report({ type: "failed", threadId, message: error.message }),
);

const stores = new Stores();
const occupancy = Occupancy.over(setup.occupancy);
const outbox = new Outbox({ post: (deltas) => report({ type: "deltas", deltas }) });

/** The pool's entry: one task is one sequence, and resolves when it has left the engine. */
export default async function generate(task: GenerateTask): Promise<void> {
  const { engine, model, programs, index } = await loading;
  const { config, eosIds, tokenizer } = model;
  const ends = task.ignoreEos ? [] : eosIds;
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
      eosIds: ends,
      context: config.n_positions,
      contextStride: setup.contextStride,
      constraint,
      said: setup.speculation ? stores.of(task.caller ?? "") : null,
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

async function start() {
  const claim = claimDevice();
  return { ...(await load({ setup, ...claim })), index: claim.index };
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
