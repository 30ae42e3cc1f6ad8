import type { Activation, Architecture } from "../../architecture.js";
import type { LayerWeights } from "../weights.js";
import type { GraphBuilder } from "./builder.js";
import type { AddLinear } from "./linear.js";

export interface MlpParts {
  graph: GraphBuilder;
  linear: AddLinear;
  architecture: Pick<Architecture, "activation" | "gated_mlp">;
  /** Width inside the MLP. */
  hidden: number;
}

/** Adds one MLP and returns the name of its output, to be added to the residual stream. */
export function addMlp(
  { graph, linear, architecture: { activation, gated_mlp }, hidden }: MlpParts,
  layer: number,
  input: string,
  { fc, mlpProj }: LayerWeights,
): string {
  const inner = linear(`layers.${layer}.fc`, input, fc);
  if (!gated_mlp) return linear(`layers.${layer}.mlp_proj`, activate(graph, activation, inner), mlpProj);
  const [gate, up] = graph.outputs(2, "Split", [inner, graph.shape(hidden, hidden)], { axis: -1 });
  const gated = graph.node("Mul", [activate(graph, activation, gate!), up!]);
  return linear(`layers.${layer}.mlp_proj`, gated, mlpProj);
}

function activate(graph: GraphBuilder, activation: Activation, input: string): string {
  switch (activation) {
    case "gelu":
      return graph.node("Gelu", [input], { approximate: "none" });
    case "gelu_tanh":
      return graph.node("Gelu", [input], { approximate: "tanh" });
    case "silu":
      // x * sigmoid(x)
      return graph.node("QuickGelu", [input], { alpha: { float: 1 } }, "com.microsoft");
    case "relu":
      return graph.node("Relu", [input]);
    case "relu2": {
      const positive = graph.node("Relu", [input]);
      return graph.node("Mul", [positive, positive]);
    }
  }
}
