import type { GraphBuilder } from "./builder.js";
import { addRange, type Extent } from "./extent.js";

/** Added to a masked score: the score's exponential is then exactly 0, and unlike -infinity it can't make a NaN. */
const MASKED = -1e30;

/** Adds the mask of the scores: float32 [batch, 1, chunk, capacity + chunk], 0 where a token may attend. */
export function addMask(graph: GraphBuilder, { chunk, capacity, chunkRange }: Extent): string {
  const zeros = graph.node("Expand", [
    graph.constant("float32", [], 0),
    graph.node("Concat", [graph.node("Reshape", [chunk, graph.shape(1)]), graph.shape(1)], { axis: 0 }),
  ]);
  const masked = graph.constant("float32", [], MASKED);
  // Positions past a sequence's length hold nothing of it.
  const isPast = graph.node("Less", [
    addRange(graph, capacity),
    graph.node("Unsqueeze", ["past_lengths", graph.shape(1, 2, 3)]),
  ]);
  const pastMask = graph.node("Where", [isPast, zeros, masked]);
  const isEarlier = graph.node("LessOrEqual", [
    chunkRange,
    graph.node("Unsqueeze", [chunkRange, graph.shape(1)]),
  ]);
  const batch = graph.node("Shape", ["past_lengths"]);
  const chunkMask = graph.node("Expand", [
    graph.node("Where", [isEarlier, graph.constant("float32", [], 0), masked]),
    graph.node("Concat", [batch, graph.shape(1, 1, 1)], { axis: 0 }),
  ]);
  return graph.node("Concat", [pastMask, chunkMask], { axis: -1 });
}

/** Adds the lengths by which scores are split into those of the past and those of the chunk: int64 [2]. */
export function addScoreLengths(graph: GraphBuilder, { chunk, capacity }: Extent): string {
  const lengths = [capacity, chunk].map((length) => graph.node("Reshape", [length, graph.shape(1)]));
  return graph.node("Concat", lengths, { axis: 0 });
}
