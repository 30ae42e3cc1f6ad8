import type { Norm } from "../checkpoint/weights.js";
import type { GraphBuilder } from "./builder.js";

/** Adds a LayerNorm over the width and returns its output. */
export type AddNorm = (name: string, input: string, norm: Norm) => string;

export function layerNorm(graph: GraphBuilder, epsilon: number): AddNorm {
  return (name, input, { weight, bias }) =>
    graph.node(
      "LayerNormalization",
      [input, graph.source(`${name}.weight`, weight), ...(bias ? [graph.source(`${name}.bias`, bias)] : [])],
      { axis: -1, epsilon: { float: epsilon } },
    );
}
