import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { encodeNode, writeModel } from "../../../models/import/graph/onnx.js";
import { median } from "../statistics.js";
import { NOTHING, readPart, State } from "./reader.js";

/** A reduction's row: short enough that the rows of a few megabytes can be shared out among threads. */
const COLUMNS = 1024;

/**
 * The ceiling of a step that reads much and computes little: how long reading so many bytes takes, which are all in one
 * buffer of just this size, since a part of it may stay in the processor's caches, as it may of a model.
 */
export class Reading {
  readonly #state: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #threads: number;
  readonly #workers: Worker[];
  readonly #sum: InferenceSession;
  readonly #floats: Tensor;

  private constructor(
    bytes: Uint8Array,
    state: Int32Array,
    threads: number,
    workers: Worker[],
    sum: InferenceSession,
  ) {
    this.#bytes = bytes;
    this.#state = state;
    this.#threads = threads;
    this.#workers = workers;
    this.#sum = sum;
    const rows = Math.floor(bytes.length / 4 / COLUMNS);
    const floats = new Float32Array(rows * COLUMNS).fill(0.1);
    this.#floats = new Tensor("float32", floats, [rows, COLUMNS]);
  }

  static async open(size: number, threads: number): Promise<Reading> {
    const bytes = new Uint8Array(new SharedArrayBuffer(size)).fill(NOTHING + 1);
    const state = new Int32Array(new SharedArrayBuffer(8));
    const file = new URL("./reader.js", import.meta.url);
    const workers = Array.from(
      { length: threads - 1 },
      (_, i) => new Worker(file, { workerData: { bytes, state, index: i + 1, threads } }),
    );
    await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("online", resolve))));
    return new Reading(bytes, state, threads, workers, await openSum(threads));
  }

  /** Milliseconds of the fastest way to read it all: a search in parallel, or the runtime's own sum. */
  async measure(rounds: number): Promise<number> {
    const sums: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const started = performance.now();
      await this.#sum.run({ x: this.#floats });
      sums.push(performance.now() - started);
    }
    return Math.min(median(sums), median(this.#search(rounds)));
  }

  async close(): Promise<void> {
    await this.#sum.release();
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  /** The threads spin between rounds: waking them would take longer than their part. */
  #search(rounds: number): number[] {
    const times: number[] = [];
    // The first round only wakes them.
    for (let round = 1; round <= rounds + 1; round++) {
      const started = performance.now();
      Atomics.store(this.#state, State.round, round);
      if (round === 1) Atomics.notify(this.#state, State.round);
      readPart(this.#bytes, 0, this.#threads);
      while (Atomics.load(this.#state, State.done) < (this.#threads - 1) * round);
      if (round > 1) times.push(performance.now() - started);
    }
    Atomics.store(this.#state, State.done, 0);
    Atomics.store(this.#state, State.round, 0);
    return times;
  }
}

async function openSum(threads: number): Promise<InferenceSession> {
  const folder = await mkdtemp(join(tmpdir(), "jai-reading-"));
  try {
    const file = join(folder, "sum.onnx");
    await writeModel(file, {
      nodes: [encodeNode("ReduceSum", ["x", "axes"], ["y"], { keepdims: 0 }, "")],
      initializers: [{ name: "axes", type: "int64", dims: [1], data: async () => BigInt64Array.of(1n) }],
      inputs: [{ name: "x", type: "float32", dims: ["rows", COLUMNS] }],
      outputs: [{ name: "y", type: "float32", dims: ["rows"] }],
      opset: 20,
      metadata: {},
    });
    return await InferenceSession.create(file, {
      executionProviders: ["cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}
