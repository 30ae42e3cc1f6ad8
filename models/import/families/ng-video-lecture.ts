import { GPT } from "../../architecture.js";
import { stackedLinear } from "../rearranged.js";
import type { LayerWeights, Sizes } from "../weights.js";
import type { Family, Source } from "./family.js";
import { LIMITS, type TensorReader } from "./tensor-reader.js";

/** The GPT of the video lecture "Let's build GPT", a matrix for each head. https://github.com/karpathy/ng-video-lecture */
export const ngVideoLecture: Family = {
  name: "ng-video-lecture",
  is: ({ tensors }) => tensors.has("blocks.0.sa.heads.0.key.weight"),
  read: (source) => {
    const { tensors } = source;
    const sizes = sizesOf(source);
    const { vocab, width, context } = sizes;
    const tokens = tensors.take("token_embedding_table.weight", vocab, width);
    return {
      ...{ sizes, tokens },
      architecture: { ...GPT, activation: "relu" },
      epsilon: 1e-5,
      positions: tensors.take("position_embedding_table.weight", context, width),
      layers: Array.from({ length: sizes.layers }, (_, index) => layerOf(tensors, index, sizes)),
      finalNorm: tensors.norm("ln_f", width),
      ...tensors.head("lm_head", tokens),
    };
  },
};

function sizesOf({ tensors }: Source): Sizes {
  const [vocab, width] = tensors.matrix("token_embedding_table.weight", LIMITS.vocab, LIMITS.width);
  const [context] = tensors.matrix("position_embedding_table.weight", LIMITS.context, LIMITS.width);
  const [hidden] = tensors.matrix("blocks.0.ffwd.net.0.weight", LIMITS.hidden, LIMITS.width);
  const [headDim] = tensors.matrix("blocks.0.sa.heads.0.key.weight", LIMITS.width, LIMITS.width);
  const heads = tensors.layers("blocks.0.sa.heads.");
  return { vocab, width, context, hidden, layers: tensors.layers("blocks."), heads, kvHeads: heads, headDim };
}

function layerOf(
  tensors: TensorReader,
  index: number,
  { heads, headDim, width, hidden }: Sizes,
): LayerWeights {
  const name = `blocks.${index}`;
  const parts = ["query", "key", "value"].flatMap((part) =>
    Array.from({ length: heads }, (_, head) =>
      tensors.linear(`${name}.sa.heads.${head}.${part}`, headDim, width),
    ),
  );
  for (let head = 0; head < heads; head++) tensors.drop(`${name}.sa.heads.${head}.tril`);
  return {
    ln1: tensors.norm(`${name}.ln1`, width),
    qkv: stackedLinear(parts),
    ...{ qNorm: null, kNorm: null },
    proj: tensors.linear(`${name}.sa.proj`, width, heads * headDim),
    ln2: tensors.norm(`${name}.ln2`, width),
    fc: tensors.linear(`${name}.ffwd.net.0`, hidden, width),
    mlpProj: tensors.linear(`${name}.ffwd.net.2`, width, hidden),
  };
}
