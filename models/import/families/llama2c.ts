import { GPT } from "../../architecture.js";
import { halvedPairs, outputsInOrder, stackedLinear } from "../rearranged.js";
import type { LayerWeights, Sizes } from "../weights.js";
import type { Family, Source } from "./family.js";
import { headSizes } from "./heads.js";
import { LIMITS, type TensorReader } from "./tensor-reader.js";

/** Meta's Llama as llama2.c trains it. https://github.com/karpathy/llama2.c/blob/master/model.py */
export const llama2c: Family = {
  name: "llama2.c",
  promptStart: "always",
  is: ({ tensors }) => tensors.has("layers.0.feed_forward.w1.weight"),
  read: (source) => {
    const { tensors, settings } = source;
    const sizes = sizesOf(source);
    const tokens = tensors.take("tok_embeddings.weight", sizes.vocab, sizes.width);
    for (const buffer of ["freqs_cos", "freqs_sin", "rope.freqs"]) tensors.drop(buffer);
    const rotary = { dim: sizes.headDim, theta: 10_000, scaling: null, precision: "float32" as const };
    return {
      ...{ sizes, tokens, positions: null },
      architecture: { ...GPT, norm: "rmsnorm", rotary, activation: "silu", gated_mlp: true },
      epsilon: settings?.number("norm_eps", 1e-5) ?? 1e-5,
      layers: Array.from({ length: sizes.layers }, (_, index) => layerOf(tensors, index, sizes)),
      finalNorm: tensors.norm("norm", sizes.width),
      ...tensors.head("output", tokens),
    };
  },
};

function sizesOf(source: Source): Sizes {
  const { tensors, settings } = source;
  const [vocab, width] = tensors.matrix("tok_embeddings.weight", LIMITS.vocab, LIMITS.width);
  const [hidden] = tensors.matrix("layers.0.feed_forward.w1.weight", LIMITS.hidden, LIMITS.width);
  const [queries] = tensors.matrix("layers.0.attention.wq.weight", LIMITS.width, LIMITS.width);
  const [keys] = tensors.matrix("layers.0.attention.wk.weight", LIMITS.width, LIMITS.width);
  return {
    ...{ vocab, width, hidden },
    context: settings?.size("max_seq_len", 2048) ?? 2048,
    layers: tensors.layers("layers."),
    ...headSizes(source, { queries, keys, key: "n_heads" }),
  };
}

function layerOf(tensors: TensorReader, index: number, sizes: Sizes): LayerWeights {
  const { heads, kvHeads, headDim, width, hidden } = sizes;
  const name = `layers.${index}`;
  const linear = (part: string, outputs: number, inputs = width) =>
    tensors.linear(`${name}.${part}`, outputs, inputs);
  return {
    ln1: tensors.norm(`${name}.attention_norm`, width),
    // llama2.c turns values 2i and 2i + 1 together; the graph turns halves.
    qkv: stackedLinear([
      outputsInOrder(linear("attention.wq", heads * headDim), halvedPairs(heads, headDim)),
      outputsInOrder(linear("attention.wk", kvHeads * headDim), halvedPairs(kvHeads, headDim)),
      linear("attention.wv", kvHeads * headDim),
    ]),
    ...{ qNorm: null, kNorm: null },
    proj: linear("attention.wo", width, heads * headDim),
    ln2: tensors.norm(`${name}.ffn_norm`, width),
    fc: stackedLinear([linear("feed_forward.w1", hidden), linear("feed_forward.w3", hidden)]),
    mlpProj: linear("feed_forward.w2", width, hidden),
  };
}
