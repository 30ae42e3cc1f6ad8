import type { Rotary } from "./architecture.js";

/**
 * How far each pair of a head's values is turned from one position to the next: float32 [dim / 2], in radians, rounded as
 * training scripts round them. As
 * https://github.com/huggingface/transformers/blob/main/src/transformers/modeling_rope_utils.py computes them.
 */
export function rotaryFrequencies({ dim, theta, scaling }: Rotary): Float32Array {
  const plain = Float32Array.from({ length: dim / 2 }, (_, pair) => theta ** ((-2 * pair) / dim));
  if (scaling === null) return plain;
  if (scaling.type === "linear") return plain.map((frequency) => frequency / scaling.factor);
  const { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings: context } = scaling;
  return plain.map((frequency) => {
    const turns = (context * frequency) / (2 * Math.PI);
    if (turns < low_freq_factor) return frequency / factor;
    if (turns > high_freq_factor) return frequency;
    const smooth = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/** A cosine or sine as the model was trained with it. https://en.wikipedia.org/wiki/Bfloat16_floating-point_format */
export function rounded(value: number, precision: Rotary["precision"]): number {
  if (precision === "float32") return Math.fround(value);
  const bits = new DataView(new ArrayBuffer(4));
  bits.setFloat32(0, value);
  const whole = bits.getUint32(0);
  // To the nearest of those with 16 bits, and of two to the even one.
  bits.setUint32(0, ((whole + 0x7fff + ((whole >>> 16) & 1)) & 0xffff0000) >>> 0);
  return bits.getFloat32(0);
}

/** The cosines and sines of each position's angles: float32 [positions, dim / 2] each. */
export function rotaryTables(rotary: Rotary, positions: number): { cos: Float32Array; sin: Float32Array } {
  const frequencies = rotaryFrequencies(rotary);
  const pairs = frequencies.length;
  const table = (of: (angle: number) => number) =>
    Float32Array.from({ length: positions * pairs }, (_, i) =>
      rounded(of(Math.fround(Math.floor(i / pairs) * frequencies[i % pairs]!)), rotary.precision),
    );
  return { cos: table(Math.cos), sin: table(Math.sin) };
}
