import { InferenceSession, Tensor } from "onnxruntime-node";
import type { StepInputs, StepOutputs, StepSession } from "../engine/runner.js";
import type { Device } from "../protocol.js";

export interface SessionOptions {
  device: Device;
  deviceId: number;
  /** Threads of one run on the CPU, the calling one included. */
  threads: number;
}

/** A model loaded into the native runtime. A run blocks the calling thread until it ends. */
export class OnnxSession implements StepSession {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  /** @throws what the runtime says of a file that it can't load or a device that it can't open */
  static async open(modelFile: string, { device, deviceId, threads }: SessionOptions): Promise<OnnxSession> {
    const session = await InferenceSession.create(modelFile, {
      executionProviders: device === "cpu" ? ["cpu"] : [{ name: device, deviceId }, "cpu"],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
    });
    return new OnnxSession(session);
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
    const [heads, headDim] = this.#cacheShape;
    for (const [i, values] of past.entries()) {
      feeds[`past_${i % 2 === 0 ? "k" : "v"}.${i >> 1}`] = new Tensor("float32", values, [
        batch,
        heads,
        capacity,
        headDim,
      ]);
    }
    const { logits, present } = await this.#session.run(feeds);
    return { logits: logits!.data as Float32Array, present: present!.data as Float32Array };
  }

  async close(): Promise<void> {
    await this.#session.release();
  }

  /** Heads and head dimension, from the model's own declaration of its inputs. */
  get #cacheShape(): [number, number] {
    const metadata = this.#session.inputMetadata[3];
    if (!metadata?.isTensor) throw new Error("the model has no cache inputs");
    return [metadata.shape[1] as number, metadata.shape[3] as number];
  }
}
