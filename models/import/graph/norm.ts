import type { Norm } from "../weights.js";
import type { GraphBuilder } from "./builder.js";

/** Adds a norm over the width and returns its output. */
export type AddNorm = (name: string, input: string, norm: Norm) => string;

/** @param width of the residual stream */
export function addNorms(
  graph: GraphBuilder,
  kind: "layernorm" | "rmsnorm",
  width: number,
  epsilon: number,
): AddNorm {
  const op = kind === "layernorm" ? "LayerNormalization" : "SimplifiedLayerNormalization";
  return (name, input, { weight, bias }) => {
    const scale = weight
      ? graph.source(`${name}.weight`, weight)
      : graph.weight(`${name}.ones`, "float32", [width], async () => new Float32Array(width).fill(1));
    const shift = bias ? [graph.source(`${name}.bias`, bias)] : [];
    return graph.node(op, [input, scale, ...shift], { axis: -1, epsilon: { float: epsilon } });
  };
}
