import type { ModelWeights } from "../weights.js";
import type { GraphBuilder } from "./builder.js";
import type { Extent } from "./extent.js";

/** Adds the position of each token of the run: int32 [batch, chunk]. */
export function addPositions(graph: GraphBuilder, { chunkRange }: Extent, context: number): string {
  // Rows past a sequence's own chunk are padding; they must only stay inside the table.
  return graph.node("Min", [
    graph.node("Add", [graph.node("Unsqueeze", ["past_lengths", graph.shape(1)]), chunkRange]),
    graph.constant("int32", [], context - 1),
  ]);
}

/** Adds each token's embedding, and its position's if those are learned: float32 [batch, chunk, width]. */
export function addEmbedding(
  graph: GraphBuilder,
  { tokens, positions }: Pick<ModelWeights, "tokens" | "positions">,
  positionIds: string,
): string {
  const embedded = graph.node("Gather", [graph.source("tokens", tokens), "input_ids"]);
  if (positions === null) return embedded;
  return graph.node("Add", [
    embedded,
    graph.node("Gather", [graph.source("positions", positions), positionIds]),
  ]);
}
