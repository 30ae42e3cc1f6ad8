import type { BenchModel } from "./models.js";

/** A server under measurement: ours or a peer. */
export interface System {
  /** For the report: "jai-server", "node-llama-cpp", … */
  readonly name: string;
  /** Whether it may be faster with one thread less than cores, and is tried with both. */
  readonly tuned: boolean;
  /** Starts it for this many clients at once; rejects with one line where it can't run. */
  start(model: BenchModel, options: { clients: number; threads: number }): Promise<RunningSystem>;
}

export interface RunningSystem {
  /** For the report: precision, threads, slots, version. */
  readonly settings: string;
  /**
   * One request. Resolves with the number of tokens generated when the whole answer is there.
   * `onTokens(count)` is called as tokens arrive where the request streams; the counts add up to the result.
   */
  ask(request: BenchRequest, onTokens?: (count: number) => void): Promise<number>;
  stop(): Promise<void>;
}

/** Every request generates exactly `maxTokens` tokens: the end of sequence is ignored. `text` tokenizes to `ids`. */
export interface BenchRequest {
  text: string;
  ids: readonly number[];
  maxTokens: number;
  temperature: number;
  topK: number;
  seed: number;
  stream: boolean;
}
