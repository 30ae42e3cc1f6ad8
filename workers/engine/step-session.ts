import type { CacheArray, NewRows } from "./cache/plane.js";

/** Inputs of the step graph; shapes in `buildGraph`. */
export interface StepInputs {
  batch: number;
  chunk: number;
  capacity: number;
  inputIds: Int32Array;
  pastLengths: Int32Array;
  lastRows: Int32Array;
  /** K, V and, with int8, the bias of each layer in turn, as the cache has them. */
  past: CacheArray[];
}

export interface StepOutputs {
  /** float32 [rows, vocabulary], a row for each of `lastRows` */
  logits: Float32Array;
  /** float32 [rows, vocabulary / LOGIT_BLOCK rounded up]: the greatest logit of each block. */
  maxima: Float32Array;
  present: NewRows;
  /** Only of a graph that import built to be observed; shape in `buildObservedGraph`. */
  ranges?: Float32Array;
}

/** The native side of a step: the only thing that the engine's tests replace. */
export interface StepSession {
  run(inputs: StepInputs): Promise<StepOutputs>;
}
