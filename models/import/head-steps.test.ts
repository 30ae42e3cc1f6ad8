import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { uniform } from "../../workers/engine/sampling/philox.js";
import type { Rotary } from "../architecture.js";
import type { Channels } from "./calibrate.js";
import { headSteps } from "./head-steps.js";

const rotaryOf = (dim: number): Rotary => ({ dim, theta: 10_000, scaling: null, precision: "float32" });

/** Ranges as uneven as those of real models: a channel may be a thousand times as wide as its neighbour, and a head as another. */
function rangesOf({ heads, kvHeads, headDim }: Parameters<typeof headSteps>[1], seed: number): Channels {
  const columns = (heads + 2 * kvHeads) * headDim;
  const greatest = Float32Array.from({ length: columns }, (_, column) => {
    const place = Math.floor(column / headDim);
    const channel = column % headDim;
    return 10 ** (3 * uniform([seed, place], channel)) * 40 ** (place % kvHeads);
  });
  return { greatest, least: greatest.map((end, column) => end * (uniform([seed, 99], column) - 1)) };
}

for (const [kind, sizes, dim] of [
  ["a head of keys for each of queries", { heads: 3, kvHeads: 3, headDim: 8 }, 0],
  ["shared keys", { heads: 6, kvHeads: 2, headDim: 8 }, 0],
  ["one head of keys", { heads: 4, kvHeads: 1, headDim: 8 }, 0],
  ["a rotation of some channels, and shared keys", { heads: 6, kvHeads: 2, headDim: 8 }, 6],
  ["a rotation of all channels", { heads: 2, kvHeads: 2, headDim: 8 }, 8],
] as const) {
  describe(`steps of heads with ${kind}`, () => {
    const { heads, kvHeads, headDim } = sizes;
    const ranges = rangesOf(sizes, 5);
    const { factors, scores, values } = headSteps(ranges, sizes, dim === 0 ? null : rotaryOf(dim));
    /** First columns of the queries that share a head of keys. */
    const queriesOf = (head: number) =>
      Array.from({ length: heads / kvHeads }, (_, i) => (i * kvHeads + head) * headDim);
    const firstOfKey = (head: number) => (heads + head) * headDim;
    const firstOfValue = (head: number) => (heads + kvHeads + head) * headDim;
    /** Integers of a column's number, where a query's is scaled for attention. */
    const level = (column: number, value: number) =>
      Math.round(factors[column]! * value * (column < heads * headDim ? Math.sqrt(headDim) : 1));
    const greatestLevel = (firsts: readonly number[]) =>
      Math.max(
        ...firsts.flatMap((first) =>
          Array.from({ length: headDim }, (_, i) => level(first + i, ranges.greatest[first + i]!)),
        ),
      );

    it("make the ends of the ranges the greatest integers of queries, keys and values, and no more", () => {
      for (let head = 0; head < kvHeads; head++) {
        assert.equal(greatestLevel(queriesOf(head)), 127);
        assert.equal(greatestLevel([firstOfKey(head)]), 64);
        assert.equal(greatestLevel([firstOfValue(head)]), 64);
      }
      for (const [column, end] of ranges.least.entries())
        assert.ok(level(column, end) >= (column < heads * headDim ? -127 : -64));
    });

    it("make the product of a query's and a key's integers the score but for their rounding", () => {
      for (let head = 0; head < kvHeads; head++)
        for (const [i, query] of queriesOf(head).entries())
          for (let text = 0; text < 20; text++) {
            let [score, product, bound] = [0, 0, 0];
            for (let channel = 0; channel < headDim; channel++) {
              const drawn = (first: number, salt: number) => {
                const share = uniform([text, salt], channel);
                const [low, high] = [ranges.least[first + channel]!, ranges.greatest[first + channel]!];
                return low + share * (high - low);
              };
              const [q, k] = [drawn(query, i), drawn(firstOfKey(head), 50)];
              const [a, b] = [level(query + channel, q), level(firstOfKey(head) + channel, k)];
              score += q * k;
              product += a * b;
              bound += (Math.abs(a) + Math.abs(b)) / 2 + 0.25;
            }
            const error = Math.abs(product * scores[head]! - score) / scores[head]!;
            assert.ok(error <= bound * 1.001, `${error} steps of ${bound} that rounding explains`);
          }
    });

    it("make a value's integer times the step the value", () => {
      for (let head = 0; head < kvHeads; head++)
        for (let channel = 0; channel < headDim; channel++) {
          const column = firstOfValue(head) + channel;
          const end = ranges.greatest[column]!;
          const back = level(column, end) * values[head]!;
          assert.ok(Math.abs(back - end) <= 0.501 * values[head]!);
        }
    });

    if (dim > 0)
      it("give the two channels of a turned pair one step, and each other channel its own", () => {
        for (let head = 0; head < kvHeads; head++)
          for (const first of [...queriesOf(head), firstOfKey(head)]) {
            const own = Array.from(factors.subarray(first, first + headDim));
            const half = dim / 2;
            assert.deepEqual(own.slice(0, half), own.slice(half, dim));
            assert.equal(new Set(own).size, headDim - half);
          }
      });
  });
}

describe("steps of heads that are partly silent", () => {
  const sizes = { heads: 2, kvHeads: 1, headDim: 4 };
  const columns = 16;
  const stepsOf = (ends: readonly number[], rotary: Rotary | null = null) => {
    const greatest = Float32Array.from(ends);
    return headSteps({ greatest, least: greatest.map((end) => -end) }, sizes, rotary);
  };
  const assertUsable = ({ factors, scores, values }: ReturnType<typeof headSteps>) => {
    for (const number of [...factors, ...scores, ...values])
      assert.ok(number > 0 && number < Number.POSITIVE_INFINITY, `a factor or step of ${number}`);
  };

  it("are finite and positive, whichever channel is always zero", () => {
    for (let silent = 0; silent < columns; silent++) {
      const ends = Array.from({ length: columns }, (_, column) => (column === silent ? 0 : 1 + column));
      assertUsable(stepsOf(ends));
      assertUsable(stepsOf(ends, rotaryOf(4)));
    }
  });

  it("are finite and positive where all queries, all keys, all values or all heads are always zero", () => {
    for (const [from, to] of [
      [0, 8],
      [8, 12],
      [12, 16],
      [0, 16],
    ] as const)
      assertUsable(stepsOf(Array.from({ length: columns }, (_, i) => (i >= from && i < to ? 0 : 1 + i))));
  });

  it("let a channel that calibration saw little of be greater than it was, but not without bound", () => {
    const ends = Array.from({ length: columns }, (_, column) => (column === 9 ? 1e-12 : 1));
    const { factors } = stepsOf(ends);
    // At a thousandth of the widest channel a key is an integer that is still held.
    assert.ok(factors[9]! * 2 ** -10 <= 64.001);
  });

  it("follow the end that is farther from zero", () => {
    const greatest = new Float32Array(columns).fill(1);
    const least = new Float32Array(columns).fill(-3);
    const wide = new Float32Array(columns).fill(3);
    assert.deepEqual(
      headSteps({ least, greatest }, sizes, null),
      headSteps({ least: wide.map((end) => -end), greatest: wide }, sizes, null),
    );
  });
});
