/** What an engine tells about its steps. It is called between two runs of the model, so each call has to be quick. */
export interface EngineObserver {
  /** A sequence's rows are about to be scored and sampled. */
  token(): void;
  /**
   * The slots before the next run, or when nothing is left to run.
   * @param rows of each sequence in the cache, by slot
   * @param decoding how many of the first slots decode; the others prefill
   */
  slots(rows: readonly number[], decoding: number): void;
  /** A run has computed this many tokens of prompts. */
  prefilled(tokens: number): void;
  /** A sequence has got a token. @param ms since the one before; null for its first */
  wrote(ms: number | null): void;
}

export const UNOBSERVED: EngineObserver = { token() {}, slots() {}, prefilled() {}, wrote() {} };
