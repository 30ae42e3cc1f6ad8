import type { GraphBuilder } from "./builder.js";
import { addRange, type Extent } from "./extent.js";

/** Added to a masked score: the score's exponential is then exactly 0, and unlike -infinity it can't make a NaN. */
const MASKED = -1e30;

/**
 * Adds the mask of the scores: float32 [batch, 1, group * chunk, capacity + chunk], 0 where a token may attend.
 * @param positionIds int32 [batch, chunk]
 * @param window how many positions, its own included, a token may attend to; null for all
 * @param group how many heads of queries are rows of one product
 */
export function addMask(
  graph: GraphBuilder,
  { chunk, capacity, chunkRange }: Extent,
  positionIds: string,
  window: number | null,
  group: number,
): string {
  const zeros = graph.node("Expand", [
    graph.constant("float32", [], 0),
    graph.node("Concat", [graph.node("Reshape", [chunk, graph.shape(1)]), graph.shape(1)], { axis: 0 }),
  ]);
  const masked = graph.constant("float32", [], MASKED);
  const capacityRange = addRange(graph, capacity);
  // Positions past a sequence's length hold nothing of it.
  const isPast = graph.node("Less", [
    capacityRange,
    graph.node("Unsqueeze", ["past_lengths", graph.shape(1, 2, 3)]),
  ]);
  const row = graph.node("Unsqueeze", [chunkRange, graph.shape(1)]);
  const isEarlier = graph.node("LessOrEqual", [chunkRange, row]);
  const within = (allowed: string, position: string, others: string) => {
    if (window === null) return allowed;
    const end = graph.node("Add", [others, graph.constant("int32", [], window)]);
    return graph.node("And", [allowed, graph.node("Greater", [end, position])]);
  };
  const positions = window === null ? "" : graph.node("Unsqueeze", [positionIds, graph.shape(1, 3)]);
  const pastMask = graph.node("Where", [within(isPast, positions, capacityRange), zeros, masked]);
  const batch = graph.node("Shape", ["past_lengths"]);
  const chunkMask = graph.node("Expand", [
    graph.node("Where", [within(isEarlier, row, chunkRange), graph.constant("float32", [], 0), masked]),
    graph.node("Concat", [batch, graph.shape(1, 1, 1)], { axis: 0 }),
  ]);
  const mask = graph.node("Concat", [pastMask, chunkMask], { axis: -1 });
  return group === 1 ? mask : graph.node("Concat", new Array<string>(group).fill(mask), { axis: 2 });
}

/** Adds the lengths by which scores are split into those of the past and those of the chunk: int64 [2]. */
export function addScoreLengths(graph: GraphBuilder, { chunk, capacity }: Extent): string {
  const lengths = [capacity, chunk].map((length) => graph.node("Reshape", [length, graph.shape(1)]));
  return graph.node("Concat", lengths, { axis: 0 });
}
