import { GPT } from "../../architecture.js";
import { reshaped, stackedLinear } from "../rearranged.js";
import type { LayerWeights, Sizes } from "../weights.js";
import type { Family, Source } from "./family.js";
import { headSizes } from "./heads.js";
import { LIMITS, type TensorReader } from "./tensor-reader.js";

/**
 * The first minGPT, of 2020, and the many scripts that began with it: keys, queries and values apart, positions that are a
 * parameter, exact GELU. The later one has nanoGPT's names. https://github.com/karpathy/minGPT/blob/3ed14b2/mingpt/model.py
 */
export const minGpt2020: Family = {
  name: "minGPT of 2020",
  is: ({ tensors }) => tensors.has("pos_emb") && tensors.has("blocks.0.attn.key.weight"),
  read: (source) => {
    const { tensors } = source;
    const sizes = sizesOf(source);
    const { vocab, width, context } = sizes;
    const tokens = tensors.take("tok_emb.weight", vocab, width);
    return {
      ...{ sizes, tokens },
      architecture: GPT,
      epsilon: 1e-5,
      positions: reshaped(tensors.take("pos_emb", 1, context, width), [context, width]),
      layers: Array.from({ length: sizes.layers }, (_, index) => layerOf(tensors, index, sizes)),
      finalNorm: tensors.norm("ln_f", width),
      ...tensors.head("head", tokens),
    };
  },
};

function sizesOf(source: Source): Sizes {
  const { tensors } = source;
  const [vocab, width] = tensors.matrix("tok_emb.weight", LIMITS.vocab, LIMITS.width);
  const [hidden] = tensors.matrix("blocks.0.mlp.0.weight", LIMITS.hidden, LIMITS.width);
  const context = tensors.shapeOf("pos_emb")?.[1] ?? 0;
  if (context < 1 || context > LIMITS.context)
    throw tensors.error(
      `expected "pos_emb" to have shape [1, at most ${LIMITS.context}, ${width}], got [${tensors.shapeOf("pos_emb")?.join(", ")}]`,
    );
  const heads = headSizes(source, { queries: width, key: "n_head" });
  return { vocab, width, context, hidden, layers: tensors.layers("blocks."), ...heads };
}

function layerOf(tensors: TensorReader, index: number, { width, hidden, context }: Sizes): LayerWeights {
  const name = `blocks.${index}`;
  const linear = (part: string, outputs: number, inputs: number) =>
    tensors.linear(`${name}.${part}`, outputs, inputs);
  tensors.drop(`${name}.attn.mask`, [1, 1, context, context]);
  return {
    ln1: tensors.norm(`${name}.ln1`, width),
    qkv: stackedLinear(["query", "key", "value"].map((part) => linear(`attn.${part}`, width, width))),
    ...{ qNorm: null, kNorm: null },
    proj: linear("attn.proj", width, width),
    ln2: tensors.norm(`${name}.ln2`, width),
    fc: linear("mlp.0", hidden, width),
    mlpProj: linear("mlp.2", width, hidden),
  };
}
