import assert from "node:assert/strict";
import { it } from "node:test";
import { MassCut } from "./mass-cut.js";
import { uniform } from "./philox.js";

/** The same by a full sort. */
function sorted(entries: [key: number, weight: number][], target: number): number {
  let sum = 0;
  for (const [key, weight] of entries.sort(([a], [b]) => a - b)) {
    sum += weight;
    if (sum >= target) return key;
  }
  return entries.at(-1)![0];
}

it("finds what a full sort finds", () => {
  const cut = new MassCut(3000);
  for (let seed = 0; seed < 300; seed++) {
    const random = (salt: number, index: number) => uniform([seed, salt], index);
    const count = 1 + Math.floor(random(1, 0) ** 2 * 2999);
    // Coarse keys, many of them equal; keys close to each other; and one far from all others.
    const scale = [10, 1e-12, 1e9, 1e300][seed % 4]!;
    const entries = Array.from({ length: count }, (_, i): [number, number] => {
      const value = random(2, i);
      return [scale * (seed % 3 === 0 ? Math.round(value * 20) : i === 7 ? -1e6 : value), 1 + random(3, i)];
    });
    const total = entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const share of [1e-9, random(4, 0), 0.9, 0.9999]) {
      cut.clear();
      for (const [key, weight] of entries) cut.add(key, weight);
      assert.equal(cut.find(share * total), sorted(entries, share * total), `seed ${seed}, share ${share}`);
    }
  }
});

it("goes to the least key for nothing, and to the greatest for more than there is", () => {
  const cut = new MassCut(3);
  for (const [target, key] of [
    [0, -1],
    [6, 5],
    [7, 5],
  ] as const) {
    cut.clear();
    for (const entry of [2, 5, -1]) cut.add(entry, 2);
    assert.equal(cut.find(target), key);
  }
});

it("leaves out what weighs nothing", () => {
  const cut = new MassCut(2);
  cut.add(1, 1);
  cut.add(Number.POSITIVE_INFINITY, 0);
  assert.equal(cut.find(2), 1);
});
