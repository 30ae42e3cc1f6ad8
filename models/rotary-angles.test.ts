import assert from "node:assert/strict";
import { test } from "node:test";
import { rotaryFrequencies, rotaryTables } from "./rotary-angles.js";

const plain = { dim: 8, theta: 10_000, scaling: null, precision: "float32" } as const;
const near = (actual: Iterable<number>, expected: readonly number[]) => {
  const values = [...actual];
  assert.equal(values.length, expected.length);
  for (const [i, value] of values.entries()) {
    const allowed = 1e-6 * Math.abs(expected[i]!);
    assert.ok(Math.abs(value - expected[i]!) <= allowed, `${value} is not ${expected[i]}`);
  }
};

test("pairs are turned by powers of the base", () => {
  near(rotaryFrequencies(plain), [1, 0.1, 0.01, 0.001]);
});

test("linear scaling turns all pairs slower", () => {
  near(
    rotaryFrequencies({ ...plain, scaling: { type: "linear", factor: 4 } }),
    [0.25, 0.025, 0.0025, 0.00025],
  );
});

test("Llama 3's scaling leaves fast pairs, slows down slow ones, and blends between", () => {
  const scaling = {
    ...{ type: "llama3" as const, factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
    original_max_position_embeddings: 128,
  };
  // 128 / (2 pi) = 20.37 turns of the first pair, 2.037 of the second, 0.2 and 0.02 of the others.
  const smooth = (128 * 0.1) / (2 * Math.PI) / 3 - 1 / 3;
  const blended = ((1 - smooth) * 0.1) / 8 + smooth * 0.1;
  near(rotaryFrequencies({ ...plain, scaling }), [1, blended, 0.01 / 8, 0.001 / 8]);
});

test("tables have a row for each position and a column for each pair", () => {
  const { cos, sin } = rotaryTables(plain, 3);
  near(cos, [1, 1, 1, 1, ...[1, 0.1, 0.01, 0.001, 2, 0.2, 0.02, 0.002].map(Math.cos)]);
  near(sin, [0, 0, 0, 0, ...[1, 0.1, 0.01, 0.001, 2, 0.2, 0.02, 0.002].map(Math.sin)]);
});

test("cosines and sines are rounded as the model was trained with them", () => {
  const { cos } = rotaryTables({ ...plain, precision: "bfloat16" }, 2);
  // 0.5403023 lies between 0.5390625 and 0.54296875, the neighbours that bfloat16 has.
  assert.deepEqual([...cos.slice(4, 6)], [0.5390625, 0.99609375]);
});
