import { GPT } from "../../architecture.js";
import { exchangedHalves, outputsInOrder, stackedLinear } from "../rearranged.js";
import type { LayerWeights, Norm, Sizes } from "../weights.js";
import type { Family, Source } from "./family.js";
import { headSizes } from "./heads.js";
import { LIMITS, type TensorReader } from "./tensor-reader.js";

/** PyTorch's default for `F.rms_norm`: the distance from 1 to the next float32. */
const EPSILON = 2 ** -23;
/** The default of `sequence_len`. */
const CONTEXT = 2048;
const NO_WEIGHT: Norm = { weight: null, bias: null };
/** Tensors of the 2026 model, which this server does not compute. */
const LATER = ["smear_gate.weight", "resid_lambdas", "x0_lambdas", "backout_lambda", "value_embeds.0.weight"];

/** nanochat of 2025. https://github.com/karpathy/nanochat/blob/master/nanochat/gpt.py */
export const nanochat: Family = {
  name: "nanochat",
  promptStart: "always",
  is: ({ tensors }) => tensors.has("transformer.h.0.attn.c_q.weight"),
  read: (source) => {
    const { tensors, settings } = source;
    const later = LATER.find((name) => tensors.has(name));
    if (later !== undefined)
      throw tensors.error(
        `expected nanochat's model of 2025, got a later one: "${later}" is a part that this server does not compute`,
      );
    const sizes = sizesOf(source);
    const tokens = tensors.take("transformer.wte.weight", sizes.vocab, sizes.width);
    for (const buffer of ["cos", "sin"]) tensors.drop(buffer);
    return {
      ...{ sizes, tokens, positions: null },
      architecture: {
        ...GPT,
        norm: "rmsnorm",
        rotary: { dim: sizes.headDim, theta: 10_000, scaling: null, precision: "bfloat16" },
        activation: "relu2",
        qk_norm: "after_rotation",
        embedding_norm: true,
        final_logit_softcapping: 15,
      },
      epsilon: EPSILON,
      layers: Array.from({ length: sizes.layers }, (_, index) => layerOf(tensors, index, sizes)),
      finalNorm: NO_WEIGHT,
      ...tensors.head("lm_head", tokens),
      ...(!settings?.has("sequence_len") && { assumed: [`context ${CONTEXT}`] }),
    };
  },
};

function sizesOf(source: Source): Sizes {
  const { tensors, settings } = source;
  const [vocab, width] = tensors.matrix("transformer.wte.weight", LIMITS.vocab, LIMITS.width);
  const [hidden] = tensors.matrix("transformer.h.0.mlp.c_fc.weight", LIMITS.hidden, LIMITS.width);
  const [queries] = tensors.matrix("transformer.h.0.attn.c_q.weight", LIMITS.width, LIMITS.width);
  const [keys] = tensors.matrix("transformer.h.0.attn.c_k.weight", LIMITS.width, LIMITS.width);
  return {
    ...{ vocab, width, hidden },
    context: settings?.size("sequence_len", CONTEXT) ?? CONTEXT,
    layers: tensors.layers("transformer.h."),
    ...headSizes(source, { queries, keys, key: "n_head" }),
  };
}

function layerOf(tensors: TensorReader, index: number, sizes: Sizes): LayerWeights {
  const { heads, kvHeads, headDim, width, hidden } = sizes;
  const name = `transformer.h.${index}`;
  const linear = (part: string, outputs: number, inputs = width) =>
    tensors.linear(`${name}.${part}`, outputs, inputs);
  return {
    ln1: NO_WEIGHT,
    // nanochat turns by minus the angle. With a head's halves exchanged, that is a turn by the angle.
    qkv: stackedLinear([
      outputsInOrder(linear("attn.c_q", heads * headDim), exchangedHalves(heads, headDim)),
      outputsInOrder(linear("attn.c_k", kvHeads * headDim), exchangedHalves(kvHeads, headDim)),
      linear("attn.c_v", kvHeads * headDim),
    ]),
    ...{ qNorm: NO_WEIGHT, kNorm: NO_WEIGHT },
    proj: linear("attn.c_proj", width, heads * headDim),
    ln2: NO_WEIGHT,
    fc: linear("mlp.c_fc", hidden),
    mlpProj: linear("mlp.c_proj", width, hidden),
  };
}
