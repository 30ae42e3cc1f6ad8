import { LOGIT_BLOCK } from "../../shape.js";
import type { ModelWeights } from "../weights.js";
import type { GraphBuilder } from "./builder.js";
import type { AddLinear } from "./linear.js";
import type { AddNorm } from "./norm.js";

/** Adds the outputs `logits` and `maxima`, for the rows of `hidden` that `last_rows` names. */
export function addHead(
  graph: GraphBuilder,
  linear: AddLinear,
  norm: AddNorm,
  hidden: string,
  {
    finalNorm,
    head,
    sizes: { width },
    architecture: { final_logit_softcapping: cap },
  }: Pick<ModelWeights, "finalNorm" | "head" | "sizes" | "architecture">,
): void {
  const last = graph.node("Gather", [graph.node("Reshape", [hidden, graph.shape(-1, width)]), "last_rows"]);
  const projected = linear("head", norm("final_norm", last, finalNorm), head);
  const logits = cap === null ? projected : softcap(graph, projected, cap);
  graph.output("logits", "Identity", [logits]);
  graph.output("maxima", "MaxPool", [graph.node("Unsqueeze", ["logits", graph.shape(1)])], {
    kernel_shape: [LOGIT_BLOCK],
    strides: [LOGIT_BLOCK],
    ceil_mode: 1,
  });
}

function softcap(graph: GraphBuilder, logits: string, cap: number): string {
  const scalar = graph.constant("float32", [], cap);
  return graph.node("Mul", [graph.node("Tanh", [graph.node("Div", [logits, scalar])]), scalar]);
}
