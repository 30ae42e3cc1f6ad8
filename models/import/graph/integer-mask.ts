import { MASKED_SCORE } from "../../shape.js";
import type { GraphBuilder } from "./builder.js";
import { addRange, type Extent } from "./extent.js";

/** Added to integer scores: 0 where a token may attend. */
export interface IntegerMask {
  /** int32 [batch, 1, group * chunk, capacity]; null without a window: the cache's `key_bias` masks the rest. */
  past: string | null;
  /** int32 [group * chunk, chunk] */
  chunk: string;
}

/**
 * @param positionIds int32 [batch, chunk]
 * @param window how many positions, its own included, a token may attend to; null for all
 * @param group how many heads of queries are rows of one product
 */
export function addIntegerMask(
  graph: GraphBuilder,
  { capacity, chunkRange }: Extent,
  positionIds: string,
  window: number | null,
  group: number,
): IntegerMask {
  const unless = (condition: string) =>
    graph.node("Where", [
      condition,
      graph.constant("int32", [], 0),
      graph.constant("int32", [], MASKED_SCORE),
    ]);
  const inRows = (mask: string, axis: number) =>
    group === 1 ? mask : graph.node("Concat", new Array<string>(group).fill(mask), { axis });
  /** Whether others are within the window of a position. */
  const isNear = (position: string, others: string) =>
    graph.node("Greater", [graph.node("Add", [others, graph.constant("int32", [], window!)]), position]);

  const row = graph.node("Unsqueeze", [chunkRange, graph.shape(1)]);
  const isEarlier = graph.node("LessOrEqual", [chunkRange, row]);
  if (window === null) return { past: null, chunk: inRows(unless(isEarlier), 0) };
  const positions = graph.node("Unsqueeze", [positionIds, graph.shape(1, 3)]);
  return {
    past: inRows(unless(isNear(positions, addRange(graph, capacity))), 2),
    chunk: inRows(unless(graph.node("And", [isEarlier, isNear(row, chunkRange)])), 0),
  };
}
