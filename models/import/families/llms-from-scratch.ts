import { GPT } from "../../architecture.js";
import { stackedLinear } from "../rearranged.js";
import type { LayerWeights, Norm, Sizes } from "../weights.js";
import type { Family, Source } from "./family.js";
import { headSizes } from "./heads.js";
import { LIMITS, type TensorReader } from "./tensor-reader.js";

/** The book's settings of Qwen3. Its checkpoints hold tensors alone. */
const QWEN3_CONTEXT = 40_960;
const QWEN3_THETA = 1e6;

/** GPTModel and Qwen3Model of the book "Build a Large Language Model (From Scratch)". https://github.com/rasbt/LLMs-from-scratch */
export const llmsFromScratch: Family = {
  name: "LLMs-from-scratch",
  is: ({ tensors }) => tensors.has("trf_blocks.0.att.W_query.weight"),
  read: (source) => {
    const { tensors } = source;
    const isGpt = tensors.has("pos_emb.weight");
    const sizes = sizesOf(source, isGpt);
    const { vocab, width, context, headDim } = sizes;
    const tokens = tensors.take("tok_emb.weight", vocab, width);
    for (const buffer of ["mask", "cos", "sin"]) tensors.drop(buffer);
    const layers = Array.from({ length: sizes.layers }, (_, index) => layerOf(tensors, index, sizes));
    const rotary = { dim: headDim, theta: QWEN3_THETA, scaling: null, precision: "float32" as const };
    const qk_norm = layers[0]!.qNorm === null ? null : "before_rotation";
    return {
      ...{ sizes, tokens, layers },
      architecture: isGpt
        ? { ...GPT, activation: "gelu_tanh" }
        : { ...GPT, norm: "rmsnorm", rotary, activation: "silu", gated_mlp: true, qk_norm },
      epsilon: isGpt ? 1e-5 : 1e-6,
      positions: isGpt ? tensors.take("pos_emb.weight", context, width) : null,
      finalNorm: normOf(tensors, "final_norm", width),
      ...tensors.head("out_head", tokens),
      ...(!isGpt && { assumed: [`context ${QWEN3_CONTEXT}`, `rope_base ${QWEN3_THETA}`] }),
    };
  },
};

function sizesOf(source: Source, isGpt: boolean): Sizes {
  const { tensors } = source;
  const [vocab, width] = tensors.matrix("tok_emb.weight", LIMITS.vocab, LIMITS.width);
  const fc = `trf_blocks.0.ff.${isGpt ? "layers.0" : "fc1"}.weight`;
  const [hidden] = tensors.matrix(fc, LIMITS.hidden, LIMITS.width);
  const [queries] = tensors.matrix("trf_blocks.0.att.W_query.weight", LIMITS.width, LIMITS.width);
  const [keys] = tensors.matrix("trf_blocks.0.att.W_key.weight", LIMITS.width, LIMITS.width);
  const headDim = tensors.sizeOf("trf_blocks.0.att.q_norm.scale");
  return {
    ...{ vocab, width, hidden },
    context: isGpt ? tensors.matrix("pos_emb.weight", LIMITS.context, LIMITS.width)[0] : QWEN3_CONTEXT,
    layers: tensors.layers("trf_blocks."),
    ...headSizes(source, { queries, keys, headDim, key: "n_heads" }),
  };
}

function normOf(tensors: TensorReader, name: string, width: number): Norm {
  return { weight: tensors.take(`${name}.scale`, width), bias: tensors.takeIfThere(`${name}.shift`, width) };
}

function layerOf(tensors: TensorReader, index: number, sizes: Sizes): LayerWeights {
  const { heads, kvHeads, headDim, width, hidden } = sizes;
  const name = `trf_blocks.${index}`;
  const linear = (part: string, outputs: number, inputs = width) =>
    tensors.linear(`${name}.${part}`, outputs, inputs);
  const qkNorm = (part: string) =>
    tensors.hasInEach(`${name}.att.${part}.scale`) ? normOf(tensors, `${name}.att.${part}`, headDim) : null;
  tensors.drop(`${name}.att.mask`);
  const isGated = tensors.has(`${name}.ff.fc1.weight`);
  return {
    ln1: normOf(tensors, `${name}.norm1`, width),
    qkv: stackedLinear([
      linear("att.W_query", heads * headDim),
      linear("att.W_key", kvHeads * headDim),
      linear("att.W_value", kvHeads * headDim),
    ]),
    ...{ qNorm: qkNorm("q_norm"), kNorm: qkNorm("k_norm") },
    proj: linear("att.out_proj", width, heads * headDim),
    ln2: normOf(tensors, `${name}.norm2`, width),
    fc: isGated
      ? stackedLinear([linear("ff.fc1", hidden), linear("ff.fc2", hidden)])
      : linear("ff.layers.0", hidden),
    mlpProj: linear(isGated ? "ff.fc3" : "ff.layers.2", width, hidden),
  };
}
