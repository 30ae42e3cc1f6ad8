/** The least and the greatest number that a tensor holds. */
export type Range = readonly [least: number, greatest: number];

/**
 * The 256 levels of an activation: a number x is level round(x / step) + zero, and 0 is a level, so that it stays
 * exact. Numbers outside the range become its nearer end.
 */
export function levelsOf([least, greatest]: Range): { step: number; zero: number } {
  const [low, high] = [Math.min(least, 0), Math.max(greatest, 0)];
  const step = Math.fround((high - low) / 255);
  // A step of 0: every input was zero. A step that is no number: a later check of the model reports that better.
  if (!(step > 0 && step < Number.POSITIVE_INFINITY)) return { step: 1, zero: 0 };
  return { step, zero: Math.min(255, Math.round(-low / step)) };
}

/**
 * The greatest quantized weight. Without VNNI, x86 CPUs multiply by `vpmaddubsw`, which adds two products of a uint8
 * activation and an int8 weight in an int16 and saturates: 2 * 255 * 64 = 32,640 fits there, and with a weight of 65
 * it would not. With this bound the sums are exact on every CPU.
 */
export const GREATEST_WEIGHT = 64;

/** Symmetric integers of one scale for each of torch's `rows` (output features); the values come transposed, int8 [in, out]. */
export function quantizeRows(weight: Float32Array, rows: number, columns: number) {
  const scales = new Float32Array(rows);
  const values = new Int8Array(weight.length);
  for (let row = 0; row < rows; row++) {
    let maximum = 0;
    for (let i = row * columns; i < (row + 1) * columns; i++)
      maximum = Math.max(maximum, Math.abs(weight[i]!));
    const scale = Math.fround(maximum / GREATEST_WEIGHT) || 1;
    scales[row] = scale;
    for (let column = 0; column < columns; column++) {
      values[column * rows + row] = Math.round(weight[row * columns + column]! / scale);
    }
  }
  return { values, scales };
}
