import type { Architecture } from "../../architecture.js";
import { free } from "../free.js";
import type { Linear, Norm } from "../weights.js";

/** A row for each token: float64 [width]. */
export type Rows = Float64Array<ArrayBuffer>[];

/** The sums of rows, position by position. */
export function sum(rows: Rows, others: Rows): Rows {
  return rows.map((row, position) => row.map((value, i) => value + others[position]![i]!));
}

export function normalized(kind: Architecture["norm"], epsilon: number) {
  return async (rows: Rows, { weight, bias }: Norm): Promise<Rows> => {
    const scale = await weight?.read();
    const shift = await bias?.read();
    return rows.map((row) =>
      unit(row, kind, epsilon).map((value, i) => value * (scale?.[i] ?? 1) + (shift?.[i] ?? 0)),
    );
  };
}

/** A row of mean 0 and variance 1; of `rmsnorm` one of mean square 1. */
function unit(
  row: Float64Array<ArrayBuffer>,
  kind: Architecture["norm"],
  epsilon: number,
): Float64Array<ArrayBuffer> {
  const meanOf = (values: Float64Array) => values.reduce((total, value) => total + value, 0) / values.length;
  const mean = kind === "layernorm" ? meanOf(row) : 0;
  const centred = row.map((value) => value - mean);
  const scale = 1 / Math.sqrt(meanOf(centred.map((value) => value ** 2)) + epsilon);
  return centred.map((value) => value * scale);
}

export async function linear(rows: Rows, { weight, bias }: Linear): Promise<Rows> {
  const [outputs, inputs] = weight.shape as [number, number];
  const matrix = await weight.read();
  const shift = await bias?.read();
  const results = rows.map((row) => {
    const result = new Float64Array(outputs);
    for (let output = 0; output < outputs; output++) {
      let total = shift?.[output] ?? 0;
      const offset = output * inputs;
      for (let input = 0; input < inputs; input++) total += matrix[offset + input]! * row[input]!;
      result[output] = total;
    }
    return result;
  });
  free(matrix);
  return results;
}
