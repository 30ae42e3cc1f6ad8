import type { ModelConfig } from "../../../models/config.js";
import type { Precision } from "../results/results.js";
import type { Reading } from "./reading.js";

/** A server under measurement: ours or a peer. */
export interface System {
  /** Name in the report: "jai-server", "node-llama-cpp", … */
  readonly name: string;
  /** Whether to try the system with one thread less than cores, too, which may be faster. */
  readonly tuned: boolean;
  /** Starts the system for this many simultaneous clients; rejects with a one-line message if it can't run. */
  start(model: BenchModel, options: { clients: number; threads: number }): Promise<RunningSystem>;
}

export interface RunningSystem {
  /** Settings in the report: precision, threads, slots, version. */
  readonly settings: string;
  /**
   * Sends one request. Resolves to the number of generated tokens once the answer is complete. If the request streams,
   * `onTokens(count)` is called as tokens arrive; the counts add up to the result.
   */
  ask(request: BenchRequest, onTokens?: (count: number) => void): Promise<number>;
  stop(): Promise<void>;
}

/** A request for exactly `maxTokens` tokens: the end of sequence is ignored. `ids` are the tokens of `text`. */
export interface BenchRequest {
  text: string;
  ids: readonly number[];
  maxTokens: number;
  temperature: number;
  topK: number;
  seed: number;
  stream: boolean;
}

/** One model in the file formats of the systems. */
export interface BenchModel {
  /** `config.name` is the name in the report. */
  config: ModelConfig;
  reading: Reading;
  /** The model folder that our server serves. */
  folder: string;
  /** Model folders by precision. A model given as a folder has only its own. */
  folders: Partial<Record<Precision, string>>;
  /** For peers: ckpt.pt, and the files made from it when they are first needed. */
  checkpoint: string;
  gguf(): Promise<string>;
  transformers(): Promise<string>;
}

/** The files that `jai import` reads. */
export interface Checkpoint {
  checkpoint: string;
  tokenizer: string;
}

/** A llama.cpp server's binary, and its name in reports. */
export interface LlamaServer {
  name: string;
  path: string;
}
