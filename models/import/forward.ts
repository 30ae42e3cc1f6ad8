import type { GptWeights, Linear, Norm } from "./checkpoint/weights.js";

/**
 * The model in plain arithmetic, straight from the checkpoint's tensors: slow, and sharing nothing with the graph that
 * it checks. Sums are taken in float64.
 * @param ids at most as many as the context holds
 * @returns logits after each of the last `positions` ids, the last one last
 */
export async function forward(
  weights: GptWeights,
  ids: readonly number[],
  positions: number,
  epsilon: number,
  onProgress: (share: number) => void = () => {},
): Promise<Float32Array[]> {
  const { width, heads, layers } = weights.sizes;
  const tokenTable = await weights.tokens.read();
  const positionTable = await weights.positions.read();
  const rows = ids.map((id, position) =>
    Float64Array.from(
      { length: width },
      (_, i) => tokenTable[id * width + i]! + positionTable[position * width + i]!,
    ),
  );
  for (const [index, layer] of weights.layers.entries()) {
    const attended = attend(await linear(await norm(rows, layer.ln1, epsilon), layer.qkv), heads);
    add(rows, await linear(attended, layer.proj));
    const inner = await linear(await norm(rows, layer.ln2, epsilon), layer.fc);
    add(
      rows,
      await linear(
        inner.map((row) => row.map(gelu)),
        layer.mlpProj,
      ),
    );
    onProgress((index + 1) / layers);
  }
  const last = await norm(rows.slice(-positions), weights.finalNorm, epsilon);
  const logits = await linear(last, { weight: weights.head, bias: null });
  return logits.map((row) => Float32Array.from(row));
}

function add(rows: Float64Array[], others: Float64Array[]): void {
  for (const [position, row] of rows.entries()) {
    for (let i = 0; i < row.length; i++) row[i]! += others[position]![i]!;
  }
}

async function norm(rows: Float64Array[], { weight, bias }: Norm, epsilon: number): Promise<Float64Array[]> {
  const scale = await weight.read();
  const shift = await bias?.read();
  return rows.map((row) => {
    const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length;
    return row.map(
      (value, i) => ((value - mean) / Math.sqrt(variance + epsilon)) * scale[i]! + (shift?.[i] ?? 0),
    );
  });
}

async function linear(rows: Float64Array[], { weight, bias }: Linear): Promise<Float64Array[]> {
  const [outputs, inputs] = weight.shape as [number, number];
  const matrix = await weight.read();
  const shift = await bias?.read();
  return rows.map((row) => {
    const result = new Float64Array(outputs);
    for (let output = 0; output < outputs; output++) {
      let sum = shift?.[output] ?? 0;
      const offset = output * inputs;
      for (let input = 0; input < inputs; input++) sum += matrix[offset + input]! * row[input]!;
      result[output] = sum;
    }
    return result;
  });
}

/** Causal attention over rows that each hold a query, a key and a value. */
function attend(rows: Float64Array[], heads: number): Float64Array[] {
  const width = rows[0]!.length / 3;
  const headDim = width / heads;
  return rows.map((row, position) => {
    const result = new Float64Array(width);
    for (let head = 0; head < heads; head++) {
      const offset = head * headDim;
      const scores = rows.slice(0, position + 1).map((other) => {
        let score = 0;
        for (let i = 0; i < headDim; i++) score += row[offset + i]! * other[width + offset + i]!;
        return score / Math.sqrt(headDim);
      });
      const maximum = Math.max(...scores);
      const exponentials = scores.map((score) => Math.exp(score - maximum));
      const total = exponentials.reduce((sum, value) => sum + value, 0);
      for (const [past, exponential] of exponentials.entries()) {
        const share = exponential / total;
        for (let i = 0; i < headDim; i++) result[offset + i]! += share * rows[past]![2 * width + offset + i]!;
      }
    }
    return result;
  });
}

function gelu(x: number): number {
  return 0.5 * x * (1 + erf(x / Math.SQRT2));
}

/** Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26: off by at most 1.5e-7. */
function erf(x: number): number {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const polynomial =
    t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const magnitude = 1 - polynomial * Math.exp(-x * x);
  return x < 0 ? -magnitude : magnitude;
}
