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

/** The same elements in another shape of as many. */
export function reshaped(source: WeightSource, shape: readonly number[]): WeightSource {
  return { name: source.name, shape, read: () => source.read() };
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

/** Matrices of the same width, or vectors, one below the other. */
export function stacked(sources: readonly WeightSource[]): WeightSource {
  const [first] = sources as [WeightSource, ...WeightSource[]];
  const rows = sources.reduce((sum, { shape }) => sum + shape[0]!, 0);
  const shape = [rows, ...first.shape.slice(1)];
  return {
    name: sources.map(({ name }) => name).join(" + "),
    shape,
    read: async () => {
      const values = new Float32Array(rows * (shape[1] ?? 1));
      let at = 0;
      for (const source of sources) {
        const part = await source.read();
        values.set(part, at);
        at += part.length;
      }
      return values;
    },
  };
}

/** Linear layers of the same input as one. Where only some have a bias, that of the others is zero. */
export function stackedLinear(layers: readonly Linear[]): Linear {
  return {
    weight: stacked(layers.map(({ weight }) => weight)),
    bias: layers.every(({ bias }) => bias === null)
      ? null
      : stacked(layers.map(({ weight, bias }) => bias ?? zeros(weight.shape[0]!))),
  };
}

const zeros = (size: number): WeightSource => ({
  name: "zeros",
  shape: [size],
  read: async () => new Float32Array(size),
});

/** A matrix [rows, columns] the other way round: PyTorch keeps a linear layer as [out, in], `MatMul` takes [in, out]. */
export function transpose(matrix: Float32Array, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      result[column * rows + row] = matrix[row * columns + column]!;
  }
  return result;
}

/** A matrix as GPT-2's Conv1D keeps it, [in, out], the other way round. */
export function transposed(source: WeightSource): WeightSource {
  const [rows, columns] = source.shape as [number, number];
  return {
    name: source.name,
    shape: [columns, rows],
    read: async () => transpose(await source.read(), rows, columns),
  };
}

/** A matrix, or a vector, whose row i is multiplied by `factors[i]`. */
export function rowsTimes(source: WeightSource, factors: Float32Array): WeightSource {
  const columns = source.shape[1] ?? 1;
  return {
    name: source.name,
    shape: source.shape,
    read: async () => (await source.read()).map((value, i) => value * factors[Math.floor(i / columns)]!),
  };
}

/** A matrix whose column i is multiplied by `factors[i]`. */
export function columnsTimes(source: WeightSource, factors: Float32Array): WeightSource {
  return {
    name: source.name,
    shape: source.shape,
    read: async () => (await source.read()).map((value, i) => value * factors[i % factors.length]!),
  };
}

/** A weight whose values are all multiplied by one number. */
export function scaled(source: WeightSource, factor: number): WeightSource {
  return {
    ...source,
    shape: source.shape,
    name: source.name,
    read: async () => (await source.read()).map((value) => value * factor),
  };
}

/**
 * Rows of heads whose turned pairs lie side by side, 2i and 2i + 1, as rows whose pairs lie half a head apart: the graph
 * turns those.
 * @param dim how many rows of each head are turned
 */
export function halvedPairs(heads: number, headDim: number, dim = headDim): number[] {
  return Array.from({ length: heads * headDim }, (_, row) => {
    const [head, i] = [Math.floor(row / headDim), row % headDim];
    if (i >= dim) return row;
    const half = dim / 2;
    return head * headDim + (i < half ? 2 * i : 2 * (i - half) + 1);
  });
}

/** Rows of heads whose halves change places: turning them goes the other way round. */
export function exchangedHalves(heads: number, headDim: number): number[] {
  return Array.from({ length: heads * headDim }, (_, row) => {
    const [head, i] = [Math.floor(row / headDim), row % headDim];
    return head * headDim + ((i + headDim / 2) % headDim);
  });
}
