import type { LayerWeights, Norm, Sizes } from "../weights.js";
import type { GraphBuilder } from "./builder.js";

/** Normalizes each head of the queries and the keys: float32 [batch, chunk, heads * head_dim], as which they come back. */
export type AddQkNorm = (
  name: string,
  input: string,
  weights: Pick<LayerWeights, "qNorm" | "kNorm">,
  factors: Float32Array,
) => string;

/** The queries and keys come out multiplied by `factors`. */
export function addQkNorm(
  graph: GraphBuilder,
  { heads, kvHeads, headDim }: Pick<Sizes, "heads" | "kvHeads" | "headDim">,
  epsilon: number,
): AddQkNorm {
  return (name, input, { qNorm, kNorm }, factors) => {
    const byHead = graph.node("Reshape", [input, graph.shape(0, 0, heads + kvHeads, headDim)]);
    const ones = graph.constant("float32", [headDim], ...new Array<number>(headDim).fill(1));
    const normalized = graph.node("SimplifiedLayerNormalization", [byHead, ones], {
      axis: -1,
      epsilon: { float: epsilon },
    });
    const merged = graph.node("Reshape", [normalized, graph.shape(0, 0, (heads + kvHeads) * headDim)]);
    const weight = graph.weight(`${name}.weight`, "float32", [(heads + kvHeads) * headDim], async () => {
      const weights = [
        ...(await repeated(qNorm, heads, headDim)),
        ...(await repeated(kNorm, kvHeads, headDim)),
      ];
      return Float32Array.from(weights, (weight, row) => weight * factors[row]!);
    });
    return graph.node("Mul", [merged, weight]);
  };
}

async function repeated(norm: Norm | null, heads: number, headDim: number): Promise<Float32Array> {
  const weight = (await norm?.weight?.read()) ?? new Float32Array(headDim).fill(1);
  return Float32Array.from({ length: heads * headDim }, (_, i) => weight[i % headDim]!);
}
