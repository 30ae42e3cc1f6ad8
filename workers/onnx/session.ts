import { InferenceSession, Tensor } from "onnxruntime-node";
import "./telemetry.js";
import { contextOf, type ModelShape } from "../../models/shape.js";
import type { StepInputs, StepOutputs, StepSession } from "../engine/step-session.js";

/** Where a session's arithmetic runs. */
export type Device = "cpu" | "cuda" | "webgpu";

export interface SessionOptions {
  device: Device;
  deviceId: number;
  /** Threads of one run on the CPU, the calling one included. */
  threads: number;
  /**
   * Whether idle threads spin for more work rather than sleep. Spinning answers sooner on cores that nobody else wants; two
   * sessions that spin, or a busy machine, take several times as long. Default: true.
   */
  spin?: boolean;
}

/** A model loaded into the native runtime. A run blocks the calling thread until it ends. */
export class OnnxSession implements StepSession {
  readonly #session: InferenceSession;
  readonly #model: ModelShape;

  private constructor(session: InferenceSession, model: ModelShape) {
    this.#session = session;
    this.#model = model;
  }

  /** @throws one line that names the file, if the runtime can't load it or it isn't a model of these sizes */
  static async open(
    file: string,
    model: ModelShape,
    { device, deviceId, threads, spin = true }: SessionOptions,
  ): Promise<OnnxSession> {
    try {
      const session = await InferenceSession.create(file, {
        // Only CUDA knows of device ids; WebGPU refuses the option.
        executionProviders: device === "cuda" ? [{ name: device, deviceId }, "cpu"] : [device],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: "all",
        logSeverityLevel: 3,
        extra: { session: { intra_op: { allow_spinning: spin ? "1" : "0" } } },
      });
      const opened = new OnnxSession(session, model);
      opened.#assertShape(model);
      return opened;
    } catch (error) {
      throw new Error(`${file}: ${(error as Error).message.split("\n")[0]}`);
    }
  }

  async run({
    batch,
    chunk,
    capacity,
    inputIds,
    pastLengths,
    lastRows,
    past,
  }: StepInputs): Promise<StepOutputs> {
    const feeds: Record<string, Tensor> = {
      input_ids: new Tensor("int32", inputIds, [batch, chunk]),
      past_lengths: new Tensor("int32", pastLengths, [batch]),
      last_rows: new Tensor("int32", lastRows, [lastRows.length]),
    };
    const { kvHeads, headDim } = this.#model;
    for (const [i, values] of past.entries()) {
      feeds[`past_${i % 2 === 0 ? "k" : "v"}.${i >> 1}`] = new Tensor("float32", values, [
        batch,
        kvHeads,
        capacity,
        headDim,
      ]);
    }
    const { logits, maxima, present, ranges } = await this.#session.run(feeds);
    return {
      logits: logits!.data as Float32Array,
      maxima: maxima!.data as Float32Array,
      present: present!.data as Float32Array,
      ...(ranges && { ranges: ranges.data as Float32Array }),
    };
  }

  async close(): Promise<void> {
    await this.#session.release();
  }

  /** @throws an error that names the first size that differs */
  #assertShape(expected: ModelShape): void {
    const actual = this.#shape();
    for (const [name, value] of Object.entries(expected) as [keyof ModelShape, number][]) {
      if (actual[name] !== value)
        throw new Error(`expected ${name} ${value}, as config.json has it, got ${actual[name]}`);
    }
  }

  /** The sizes that the shapes of the graph's inputs and outputs tell. */
  #shape(): ModelShape {
    const { inputNames, inputMetadata, outputNames, outputMetadata } = this.#session;
    const [logits] = outputMetadata;
    const cache = inputMetadata[inputNames.indexOf("past_k.0")];
    if (!cache?.isTensor || !logits?.isTensor || !outputNames.includes("maxima"))
      throw new Error(
        "expected a graph that this version of `jai import` wrote, got another: import it again",
      );
    const [, kvHeads, capacity, headDim] = cache.shape;
    return {
      layers: inputNames.filter((name) => name.startsWith("past_k.")).length,
      kvHeads: Number(kvHeads),
      headDim: Number(headDim),
      context: contextOf(String(capacity)),
      vocabulary: Number(logits.shape[1]),
    };
  }
}
