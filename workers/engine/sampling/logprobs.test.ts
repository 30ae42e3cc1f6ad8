import assert from "node:assert/strict";
import { it } from "node:test";
import { logSoftmax } from "./fixtures/reference.js";
import { rowOf } from "./fixtures/rows.js";
import { Logprobs } from "./logprobs.js";
import { uniform } from "./philox.js";

it("gives the log softmax of the token and of the likeliest, equal ones by their ids", () => {
  for (const vocabulary of [1, 33, 300, 6810]) {
    const reader = new Logprobs(vocabulary);
    for (let seed = 0; seed < 10; seed++) {
      const random = (salt: number, index: number) => uniform([seed, salt], index);
      // Half of them on a coarse grid, so that many tokens are the likeliest.
      const logits = Float32Array.from({ length: vocabulary }, (_, i) =>
        seed % 2 ? Math.round(random(1, i) * 8) : 40 * random(1, i),
      );
      const expected = logSoftmax(new Map(logits.entries()));
      const falling = [...expected].sort(([a, p], [b, q]) => q - p || a - b);
      const token = Math.floor(random(2, 0) * vocabulary);
      for (const k of [0, 1, 5, 20]) {
        const { id, logprob, top } = reader.read(rowOf(logits), token, k);
        assert.equal(id, token);
        assert.ok(Math.abs(logprob - expected.get(token)!) < 1e-9);
        const likeliest = falling.slice(0, k);
        assert.deepEqual(
          top.map(([id]) => id),
          likeliest.map(([id]) => id),
        );
        for (const [i, [, value]] of top.entries()) assert.ok(Math.abs(value - likeliest[i]![1]) < 1e-9);
      }
    }
  }
});

it("refuses logits that are not numbers", () => {
  const reader = new Logprobs(2);
  assert.throws(() => reader.read(rowOf(Float32Array.of(Number.NaN, 1)), 0, 1), /not numbers/);
});
