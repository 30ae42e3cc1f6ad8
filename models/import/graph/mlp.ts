import type { LayerWeights } from "../checkpoint/weights.js";
import type { GraphBuilder } from "./builder.js";
import type { AddLinear } from "./linear.js";

/** Adds one MLP (exact GELU) and returns the name of its output, to be added to the residual stream. */
export function addMlp(
  graph: GraphBuilder,
  linear: AddLinear,
  layer: number,
  input: string,
  { fc, mlpProj }: LayerWeights,
): string {
  const inner = graph.node("Gelu", [linear(`layers.${layer}.fc`, input, fc)], { approximate: "none" });
  return linear(`layers.${layer}.mlp_proj`, inner, mlpProj);
}
