import type { Architecture } from "../architecture.js";

/** A model's sizes; all are at least 1, and `heads` is a multiple of `kvHeads`. */
export interface Sizes {
  vocab: number;
  /** Positions in the context window. */
  context: number;
  layers: number;
  /** Heads of queries. */
  heads: number;
  /** Heads of keys and values. */
  kvHeads: number;
  headDim: number;
  /** Width of the residual stream. */
  width: number;
  /** Width inside the MLP. */
  hidden: number;
}

/** A weight that stays in the file until it is read. */
export interface WeightSource {
  /** The tensor's name in the checkpoint, for messages. */
  readonly name: string;
  readonly shape: readonly number[];
  /** A contiguous row-major copy in float32, owned by the caller. Throws `ImportError` where a value is not finite. */
  read(): Promise<Float32Array<ArrayBuffer>>;
}

/** `y = x · weightᵀ + bias`; `weight` is [out, in], as PyTorch keeps it. */
export interface Linear {
  weight: WeightSource;
  bias: WeightSource | null;
}

/** A norm over the last axis. Without a weight it only normalizes. */
export interface Norm {
  weight: WeightSource | null;
  bias: WeightSource | null;
}

export interface LayerWeights {
  ln1: Norm;
  /**
   * [(heads + 2·kvHeads)·headDim, width]: the rows of queries, then keys, then values. Query head i attends to the keys and
   * values of head floor(i · kvHeads / heads).
   */
  qkv: Linear;
  /** [headDim] each; null without `qk_norm`. */
  qNorm: Norm | null;
  kNorm: Norm | null;
  /** [width, heads·headDim] */
  proj: Linear;
  ln2: Norm;
  /** [hidden, width]; of a gated MLP [2·hidden, width], the gate's rows first. */
  fc: Linear;
  /** [width, hidden] */
  mlpProj: Linear;
}

export interface ModelWeights {
  sizes: Sizes;
  architecture: Architecture;
  /** Epsilon of every norm. */
  epsilon: number;
  /** [vocab, width] */
  tokens: WeightSource;
  /** [context, width]; null for a rotary model. */
  positions: WeightSource | null;
  layers: LayerWeights[];
  finalNorm: Norm;
  /** Its weight is [vocab, width]; the same source as `tokens` where `tied`. */
  head: Linear;
  tied: boolean;
  /** Settings that the checkpoint doesn't say, with the codebase's defaults, such as `context 2048`. */
  assumed?: readonly string[];
  /** Closes the checkpoint; no weight can be read after it. */
  close(): Promise<void>;
}

/** The linear layers in the order in which the graph computes them. */
export const productsOf = ({ layers, head }: ModelWeights): Linear[] => [
  ...layers.flatMap(({ qkv, proj, fc, mlpProj }) => [qkv, proj, fc, mlpProj]),
  head,
];
