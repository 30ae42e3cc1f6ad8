import { InferenceSession, Tensor } from "onnxruntime-node";
import "./telemetry.js";
import { contextOf, type ModelShape } from "../../models/shape.js";
import type { CacheArray } from "../engine/cache/plane.js";
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
  /**
   * Whether weights are also kept in the order in which products read them: faster, at twice the memory. Without it, weights
   * that lie in a file beside the graph stay there, and the system reads them as needed. Default: true.
   */
  prepack?: boolean;
  /** Whether the file is a copy that `prepareGraph` wrote. Default: false. */
  prepared?: boolean;
}

interface CacheInput {
  name: string;
  type: "float32" | "int8" | "int32";
  dims: number[];
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
    { device, deviceId, threads, spin = true, prepack = true, prepared = false }: SessionOptions,
  ): Promise<OnnxSession> {
    try {
      const session = await InferenceSession.create(file, {
        // Only CUDA knows of device ids; WebGPU refuses the option.
        executionProviders: device === "cuda" ? [{ name: device, deviceId }, "cpu"] : [device],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: prepared ? "disabled" : "all",
        logSeverityLevel: 3,
        extra: {
          session: {
            intra_op: { allow_spinning: spin ? "1" : "0" },
            disable_prepacking: prepack ? "0" : "1",
          },
        },
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
    for (const [i, { name, type, dims }] of this.#cacheInputs(batch, capacity).entries())
      feeds[name] = new Tensor(type, past[i]!, dims);
    const { logits, maxima, present_k, present_v, ranges } = await this.#session.run(feeds);
    return {
      logits: logits!.data as Float32Array,
      maxima: maxima!.data as Float32Array,
      present: { keys: present_k!.data as CacheArray, values: present_v!.data as CacheArray },
      ...(ranges && { ranges: ranges.data as Float32Array }),
    };
  }

  /** In the order of `StepInputs.past`. */
  #cacheInputs(batch: number, capacity: number): CacheInput[] {
    const { layers, kvHeads, headDim, precision } = this.#model;
    const rows = [batch, kvHeads, capacity, headDim];
    const columns = [batch, kvHeads, headDim, capacity];
    return Array.from({ length: layers }, (_, layer): CacheInput[] =>
      precision === "fp32"
        ? [
            { name: `past_k.${layer}`, type: "float32", dims: rows },
            { name: `past_v.${layer}`, type: "float32", dims: rows },
          ]
        : [
            { name: `past_k.${layer}`, type: "int8", dims: columns },
            { name: `past_v.${layer}`, type: "int8", dims: rows },
            { name: `key_bias.${layer}`, type: "int32", dims: [batch, kvHeads, 1, capacity] },
          ],
    ).flat();
  }

  async close(): Promise<void> {
    await this.#session.release();
  }

  /** @throws an error that names the first size that differs */
  #assertShape(expected: ModelShape): void {
    const actual = this.#shape();
    for (const name of Object.keys(expected) as (keyof ModelShape)[]) {
      if (actual[name] !== expected[name])
        throw new Error(`expected ${name} ${expected[name]}, as config.json has it, got ${actual[name]}`);
    }
  }

  /** The sizes that the shapes of the graph's inputs and outputs tell. */
  #shape(): ModelShape {
    const { inputNames, inputMetadata, outputNames, outputMetadata } = this.#session;
    const [logits] = outputMetadata;
    const values = inputMetadata[inputNames.indexOf("past_v.0")];
    if (
      !values?.isTensor ||
      !logits?.isTensor ||
      !outputNames.includes("present_k") ||
      (values.type === "int8" && !inputNames.includes("key_bias.0"))
    )
      throw new Error(
        "expected a graph that this version of `jai import` wrote, got another: import it again",
      );
    const [, kvHeads, capacity, headDim] = values.shape;
    return {
      layers: inputNames.filter((name) => name.startsWith("past_k.")).length,
      kvHeads: Number(kvHeads),
      headDim: Number(headDim),
      context: contextOf(String(capacity)),
      vocabulary: Number(logits.shape[1]),
      precision: values.type === "int8" ? "int8" : "fp32",
    };
  }
}
