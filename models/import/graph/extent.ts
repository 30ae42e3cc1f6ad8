import type { GraphBuilder } from "./builder.js";

/** How large a run is. */
export interface Extent {
  /** Tokens that the run feeds to each sequence: int64 scalar. */
  chunk: string;
  /** Allocated cache positions per sequence: int64 scalar. */
  capacity: string;
  /** 0 to `chunk` - 1: int32 [chunk]. */
  chunkRange: string;
}

export function addExtent(graph: GraphBuilder): Extent {
  const chunk = dimension(graph, "input_ids", 1);
  const capacity = dimension(graph, "past_v.0", 2);
  return { chunk, capacity, chunkRange: addRange(graph, chunk) };
}

/** 0 to `limit` - 1, as int32. */
export function addRange(graph: GraphBuilder, limit: string): string {
  const limit32 = graph.node("Cast", [limit], { to: 6 });
  return graph.node("Range", [graph.constant("int32", [], 0), limit32, graph.constant("int32", [], 1)]);
}

function dimension(graph: GraphBuilder, input: string, axis: number): string {
  return graph.node("Gather", [graph.node("Shape", [input]), graph.constant("int64", [], axis)]);
}
