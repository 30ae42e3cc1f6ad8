import assert from "node:assert/strict";
import { it } from "node:test";
import { bitsOf, rowOf } from "./fixtures/rows.js";
import { LogitRow } from "./logit-row.js";
import { uniform } from "./philox.js";

it("keeps its maxima true whatever is changed", () => {
  for (const vocabulary of [1, 31, 32, 70, 256]) {
    const row = new LogitRow(vocabulary);
    for (let seed = 0; seed < 60; seed++) {
      const random = (salt: number, index = 0) => uniform([seed, salt], index);
      const logits = Float32Array.from({ length: vocabulary }, (_, i) => Math.round(random(1, i) * 20) - 10);
      const plain = logits.slice();
      if (seed % 3 === 0) row.load(rowOf(logits));
      else {
        const count = 1 + vocabulary * (seed % 3 === 1 ? 0.2 : 3);
        const allowed = new Set(
          Array.from({ length: count }, (_, i) => Math.floor(random(2, i) * vocabulary)),
        );
        const bits = bitsOf(allowed, vocabulary);
        // What lies past the vocabulary may be anything.
        if (vocabulary % 32 > 0 && seed % 2 === 0) bits[bits.length - 1]! |= -1 << (vocabulary % 32);
        row.loadAllowed(rowOf(logits), bits);
        for (let token = 0; token < vocabulary; token++) if (!allowed.has(token)) plain[token] = -Infinity;
      }
      for (let i = 0; i < 60; i++) {
        const token = Math.floor(random(3, i) * vocabulary);
        const logit = Math.round(random(4, i) * 24) - 12;
        row.set(token, logit);
        if (plain[token] !== -Infinity) plain[token] = logit;
      }
      assert.deepEqual({ ...row }, rowOf(plain), `vocabulary ${vocabulary}, seed ${seed}`);
    }
  }
});

it("withholds a token, but not the last", () => {
  const row = new LogitRow(40);
  row.load(rowOf(Float32Array.from({ length: 40 }, (_, i) => i)));
  row.withhold([39]);
  assert.equal(row.maxima[1], 38);
  row.loadAllowed(rowOf(new Float32Array(40)), bitsOf([2], 40));
  row.withhold([2]);
  assert.equal(row.maxima[0], 0);
});
