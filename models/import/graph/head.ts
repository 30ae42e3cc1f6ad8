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
  const normed = norm("final_norm", last, finalNorm);
  if (cap === null) linear("head", normed, head, undefined, "logits");
  else addSoftcap(graph, linear("head", normed, head), cap);
  addMaxima(graph, head.weight.shape[0]!);
}

function addSoftcap(graph: GraphBuilder, logits: string, cap: number): void {
  const scalar = graph.constant("float32", [], cap);
  graph.output("logits", "Mul", [graph.node("Tanh", [graph.node("Div", [logits, scalar])]), scalar]);
}

/** A reduction takes a fraction of a pooling's time, but wants whole blocks. */
function addMaxima(graph: GraphBuilder, vocabulary: number): void {
  const blocks = vocabulary / LOGIT_BLOCK;
  if (Number.isInteger(blocks)) {
    const inBlocks = graph.node("Reshape", ["logits", graph.shape(-1, 1, blocks, LOGIT_BLOCK)]);
    graph.output("maxima", "ReduceMax", [inBlocks, graph.shape(3)], { keepdims: 0 });
    return;
  }
  graph.output("maxima", "MaxPool", [graph.node("Unsqueeze", ["logits", graph.shape(1)])], {
    kernel_shape: [LOGIT_BLOCK],
    strides: [LOGIT_BLOCK],
    ceil_mode: 1,
  });
}
