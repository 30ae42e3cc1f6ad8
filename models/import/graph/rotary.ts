import { FIXED } from "../../../workers/engine/cache/grid.js";
import type { Rotary } from "../../architecture.js";
import { rotaryTables } from "../../rotary-angles.js";
import type { GraphBuilder } from "./builder.js";

/** Turns `heads` heads by their positions: float32 [batch, chunk, heads * head_dim], as which it comes back. */
export type AddRotation = (input: string, heads: number) => string;

/** @param positionIds int32 [batch, chunk], each below `context` */
export function addRotary(
  graph: GraphBuilder,
  rotary: Rotary,
  context: number,
  headDim: number,
  positionIds: string,
): AddRotation {
  // The runtime refuses a run of more rows than the tables have, and a chunk's padding may reach past the context.
  const rows = FIXED.padded(context);
  const dims = [rows, rotary.dim / 2];
  const cos = graph.weight("rotary.cos", "float32", dims, async () => rotaryTables(rotary, rows).cos);
  const sin = graph.weight("rotary.sin", "float32", dims, async () => rotaryTables(rotary, rows).sin);
  const positions = graph.node("Cast", [positionIds], { to: 7 });
  // A part of a head is turned only if its width is given; the runtime wants the number of heads with it.
  return (input, heads) =>
    graph.node(
      "RotaryEmbedding",
      [input, positions, cos, sin],
      {
        interleaved: 0,
        num_heads: heads,
        ...(rotary.dim < headDim && { rotary_embedding_dim: rotary.dim }),
      },
      "com.microsoft",
    );
}
