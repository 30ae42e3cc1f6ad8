import type { ModelConfig } from "../../../models/config.js";
import type { Precision } from "../results/results.js";

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

/** One model, in the forms that the systems take. */
export interface BenchModel {
  /** Its name in the report is `config.name`. */
  config: ModelConfig;
  encode(text: string): number[];
  /** The model folder that our server takes. */
  folder: string;
  /** Model folders by precision; a model that came as a folder has only its own. */
  folders: Partial<Record<Precision, string>>;
  /** The forms for peers: ckpt.pt, and what is made of it when it is first asked for. */
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
