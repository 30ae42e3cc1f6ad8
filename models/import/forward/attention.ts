import type { Rotary } from "../../architecture.js";
import { rotaryFrequencies, rounded } from "../../rotary-angles.js";
import type { LayerWeights, ModelWeights, Norm } from "../weights.js";
import { linear, normalized, type Rows } from "./pieces.js";

/**
 * One layer's causal attention.
 * @param rows the normalized residual stream, from position 0 on
 * @param index of the layer
 */
export async function attend(
  rows: Rows,
  index: number,
  { qkv, qNorm, kNorm, proj }: LayerWeights,
  { sizes, architecture, epsilon }: ModelWeights,
): Promise<Rows> {
  const { heads, kvHeads, headDim } = sizes;
  const { qk_norm, rotary, sliding_window } = architecture;
  const fused = await linear(rows, qkv);
  /** By head, the part of each position's row. */
  const headsFrom = (first: number, count: number): Rows[] =>
    Array.from({ length: count }, (_, head) =>
      fused.map((row) => row.slice((first + head) * headDim, (first + head + 1) * headDim)),
    );
  const even = (all: Rows[], norm: Norm | null) =>
    Promise.all(all.map(async (one) => (norm === null ? one : normalized("rmsnorm", epsilon)(one, norm))));
  const turn = (all: Rows[]) => (rotary === null ? all : all.map((head) => turned(head, rotary)));
  const placed = async (all: Rows[], norm: Norm | null): Promise<Rows[]> => {
    if (qk_norm === null) return turn(all);
    return qk_norm === "before_rotation" ? turn(await even(all, norm)) : even(turn(all), norm);
  };
  const queries = await placed(headsFrom(0, heads), qNorm);
  const keys = await placed(headsFrom(heads, kvHeads), kNorm);
  const values = headsFrom(heads + kvHeads, kvHeads);
  const window = sliding_window?.[index] ?? rows.length;
  const mixed = queries.map((query, head) => {
    const shared = Math.floor((head * kvHeads) / heads);
    return mix(query, keys[shared]!, values[shared]!, window);
  });
  const joined = rows.map((_, position) => Float64Array.from(mixed.flatMap((head) => [...head[position]!])));
  return linear(joined, proj);
}

/** The values of one head's past, weighed by how much each query attends to their keys. */
function mix(queries: Rows, keys: Rows, values: Rows, window: number): Rows {
  return queries.map((query, position) => {
    const first = Math.max(0, position + 1 - window);
    const scores = keys
      .slice(first, position + 1)
      .map((key) => key.reduce((total, value, i) => total + value * query[i]!, 0) / Math.sqrt(query.length));
    const most = Math.max(...scores);
    const exponentials = scores.map((score) => Math.exp(score - most));
    const total = exponentials.reduce((so, exponential) => so + exponential, 0);
    const result = new Float64Array(query.length);
    for (const [past, exponential] of exponentials.entries()) {
      const value = values[first + past]!;
      for (let i = 0; i < result.length; i++) result[i]! += (exponential / total) * value[i]!;
    }
    return result;
  });
}

/** Turns each pair of values, i and i + dim / 2, by the position's angle. */
function turned(rows: Rows, rotary: Rotary): Rows {
  const pairs = rotary.dim / 2;
  const frequencies = rotaryFrequencies(rotary);
  return rows.map((row, position) => {
    const result = row.slice();
    for (const [i, frequency] of frequencies.entries()) {
      const angle = position * frequency;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)].map((one) => rounded(one, rotary.precision)) as [
        number,
        number,
      ];
      result[i] = row[i]! * cos - row[i + pairs]! * sin;
      result[i + pairs] = row[i + pairs]! * cos + row[i]! * sin;
    }
    return result;
  });
}
