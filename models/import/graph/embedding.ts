import type { GptWeights } from "../checkpoint/weights.js";
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

/** Adds the sum of each token's embedding and its position's: float32 [batch, chunk, width]. */
export function addEmbedding(
  graph: GraphBuilder,
  { tokens, positions }: GptWeights,
  positionIds: string,
): string {
  return graph.node("Add", [
    graph.node("Gather", [graph.source("tokens", tokens), "input_ids"]),
    graph.node("Gather", [graph.source("positions", positions), positionIds]),
  ]);
}
