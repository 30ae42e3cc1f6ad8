import type { Log } from "./log.js";

/** Options of a loaded model. */
export interface ModelOptions {
  /** Where the model runs. Default `auto`. */
  device?: "auto" | "cpu" | "cuda" | "webgpu" | undefined;
  /** Worker threads, on a CPU with one copy of the weights for all. Default `auto`, from the hardware. */
  workers?: number | "auto" | undefined;
  /** How many texts are generated at once, over all workers. Default `auto`, from memory. */
  concurrency?: number | "auto" | undefined;
  /** Native threads of each worker. Default `auto`, from the cores. */
  threads?: number | "auto" | undefined;
  /** Tokens by which the window slides past the model's context, 1 to the context. Default `auto`, a quarter of it. */
  contextStride?: number | "auto" | undefined;
  /** Whether tokens are drafted from earlier texts, where that is faster. No text is other for it. Default `auto`. */
  speculation?: "auto" | "off" | undefined;
  /** How many texts may wait; beyond it a generation fails with `queue_full`. Default 1,000,000. */
  queueLimit?: number | undefined;
  /** Logs what `auto` chose, and workers that died. Default none; `console` works. */
  log?: Log | undefined;
}
