/** A server under measurement: ours or a peer. */
export interface System {
  /** For the report: "jai-server", "node-llama-cpp", "FastAPI + PyTorch", … */
  readonly name: string;
  /** Starts it for this many clients at once, with its best settings for the machine; rejects with a one-line reason where it can't run. */
  start(model: BenchModel, options: { clients: number; threads: number }): Promise<RunningSystem>;
}

export interface RunningSystem {
  /** What it runs with, for the report: precision, threads, slots, version. */
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
  name: string;
  /** The path of ckpt.pt. */
  checkpoint: string;
  /** The path of tokenizer.json. */
  tokenizer: string;
  /** Our imported model folder, int8. */
  folder: string;
  /** A scratch directory for what systems derive from the checkpoint, such as a GGUF file. */
  work: string;
}
