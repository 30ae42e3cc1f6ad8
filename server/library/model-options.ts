import type { Log } from "./log.js";

/** How a model is run. */
export interface ModelOptions {
  /** Where the model runs. Default `auto`. */
  device?: "auto" | "cpu" | "cuda" | "webgpu" | undefined;
  /** Worker threads, each with a copy of the model. Default `auto`, from the hardware. */
  workers?: number | "auto" | undefined;
  /** How many texts are generated at once, over all workers. Default `auto`, from memory. */
  concurrency?: number | "auto" | undefined;
  /** Native threads of each worker. Default `auto`, from the cores. */
  threads?: number | "auto" | undefined;
  /** Tokens by which the window slides past the model's context, 1 to the context. Default `auto`, a quarter of it. */
  contextStride?: number | "auto" | undefined;
  /** How many texts may wait for one of those places; beyond it `queue_full`. Default 1,000,000. */
  queueLimit?: number | undefined;
  /** Hears what was chosen, and of workers that died. Default nobody; `console` is one. */
  log?: Log | undefined;
}
