/** The model's sizes; all are at least 1, and `width` is a multiple of `heads`. */
export interface Sizes {
  vocab: number;
  /** Positions in the context window. */
  context: number;
  layers: number;
  heads: number;
  /** Width of the residual stream. */
  width: number;
  /** Width inside the MLP. */
  hidden: number;
}

/** A weight that stays in the file until it is asked for. */
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

/** LayerNorm over the width. */
export interface Norm {
  weight: WeightSource;
  bias: WeightSource | null;
}

export interface LayerWeights {
  ln1: Norm;
  /** [3·width, width]: the rows of queries, then keys, then values. */
  qkv: Linear;
  proj: Linear;
  ln2: Norm;
  /** [hidden, width] */
  fc: Linear;
  /** [width, hidden] */
  mlpProj: Linear;
}

export interface GptWeights {
  sizes: Sizes;
  /** [vocab, width] */
  tokens: WeightSource;
  /** [context, width] */
  positions: WeightSource;
  layers: LayerWeights[];
  finalNorm: Norm;
  /** [vocab, width]; the same source as `tokens` where `tied`. */
  head: WeightSource;
  tied: boolean;
  /** Closes the checkpoint; no weight can be read after it. */
  close(): Promise<void>;
}
