import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { GREATEST_WEIGHT, levelsOf, quantizeRows } from "./quantize.js";

describe("the levels of an activation", () => {
  it("span the range, and 0 is one of them", () => {
    for (const [least, greatest] of [
      [-4, 4],
      [-0.17, 10],
      [-9, 0.5],
      [2, 6],
      [-6, -2],
    ] as const) {
      const { step, zero } = levelsOf([least, greatest]);
      assert.ok(Number.isInteger(zero) && zero >= 0 && zero <= 255);
      assert.ok((0 - zero) * step <= Math.min(least, 0) + step);
      assert.ok((255 - zero) * step >= Math.max(greatest, 0) - step);
      assert.ok(255 * step <= (Math.max(greatest, 0) - Math.min(least, 0)) * 1.000001);
    }
  });

  it("are usable where the range is empty or no number", () => {
    for (const range of [
      [0, 0],
      [Number.NaN, Number.NaN],
      [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
    ] as const)
      assert.deepEqual(levelsOf(range), { step: 1, zero: 0 });
  });
});

describe("the quantization of weights", () => {
  it("has one scale for each output, and is off by at most half a step", () => {
    const rows = 3;
    const columns = 5;
    const weight = Float32Array.from(
      { length: rows * columns },
      (_, i) => Math.sin(i) * 10 ** Math.floor(i / columns),
    );
    const { values, scales } = quantizeRows(weight, rows, columns);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        const restored = values[column * rows + row]! * scales[row]!;
        assert.ok(Math.abs(restored - weight[row * columns + column]!) <= scales[row]! * 0.500001);
      }
    }
    assert.deepEqual([...quantizeRows(new Float32Array(4), 2, 2).scales], [1, 1]);
  });

  it("reaches the bound in each output, and never passes it: two products fit an int16", () => {
    const rows = 200;
    const columns = 32;
    const weight = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * i) * 10 ** (i % 7));
    const { values } = quantizeRows(weight, rows, columns);
    for (let row = 0; row < rows; row++) {
      const most = Math.max(...Array.from({ length: columns }, (_, i) => Math.abs(values[i * rows + row]!)));
      assert.equal(most, GREATEST_WEIGHT);
    }
    assert.ok(2 * 255 * GREATEST_WEIGHT < 2 ** 15);
  });
});
