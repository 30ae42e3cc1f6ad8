import type { Linear, WeightSource } from "./weights.js";

/** A weight, rows of a matrix or elements of a vector, in another order: row i is row `order[i]` of the source. */
export function rowsInOrder(source: WeightSource, order: readonly number[]): WeightSource {
  const columns = source.shape[1] ?? 1;
  return {
    name: source.name,
    shape: [order.length, ...source.shape.slice(1)],
    read: async () => {
      const values = await source.read();
      const ordered = new Float32Array(order.length * columns);
      for (const [i, row] of order.entries())
        ordered.set(values.subarray(row * columns, (row + 1) * columns), i * columns);
      return ordered;
    },
  };
}

/** The first `count` rows of a matrix, or elements of a vector. */
export function firstRows(source: WeightSource, count: number): WeightSource {
  const columns = source.shape[1] ?? 1;
  return {
    name: source.name,
    shape: [count, ...source.shape.slice(1)],
    read: async () => (await source.read()).slice(0, count * columns),
  };
}

/** A matrix whose columns are in another order: column i is column `order[i]` of the source. */
export function columnsInOrder(source: WeightSource, order: readonly number[]): WeightSource {
  const [rows, columns] = source.shape as [number, number];
  return {
    name: source.name,
    shape: [rows, order.length],
    read: async () => {
      const values = await source.read();
      const ordered = new Float32Array(rows * order.length);
      for (let row = 0; row < rows; row++)
        for (const [i, column] of order.entries())
          ordered[row * order.length + i] = values[row * columns + column]!;
      return ordered;
    },
  };
}

/** The outputs of a linear layer in another order. */
export function outputsInOrder({ weight, bias }: Linear, order: readonly number[]): Linear {
  return { weight: rowsInOrder(weight, order), bias: bias && rowsInOrder(bias, order) };
}
