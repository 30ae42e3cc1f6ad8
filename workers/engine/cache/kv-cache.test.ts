import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MASKED_SCORE, ZERO_QUERY } from "../../../models/shape.js";
import { KvCache } from "./kv-cache.js";
import type { CacheArray, CacheShape } from "./plane.js";

for (const precision of ["fp32", "int8"] as const) {
  const shape: CacheShape = { layers: 2, kvHeads: 3, headDim: 4, context: 200, precision };

  /** Every value of a token's rows tells whose they are, as well as an int8 can. */
  const mark = (owner: number, position: number, head: number) =>
    precision === "fp32"
      ? owner * 1000 + position + head / 8
      : ((owner * 37 + position * 11 + head * 5) % 120) - 60;

  const size = (positions: number) => shape.kvHeads * positions * shape.headDim;
  const numbers = (length: number): CacheArray =>
    precision === "fp32" ? new Float32Array(length) : new Int8Array(length);

  /** Where a value of a slot's keys or values lies. */
  const placeOf = (part: "keys" | "values", head: number, position: number, d: number, positions: number) =>
    part === "keys" && precision === "int8"
      ? (head * shape.headDim + d) * positions + position
      : (head * positions + position) * shape.headDim + d;

  /** Appends `count` marked tokens to each of `owners`, who lie in the slots from `first` on. */
  function append(cache: KvCache, first: number, owners: number[], counts: number[]): void {
    const chunk = Math.max(...counts);
    const starts = owners.map((_, i) => cache.lengths[first + i]!);
    const rowsOf = (part: "keys" | "values") => {
      const rows = numbers(shape.layers * owners.length * size(chunk)).fill(-1);
      for (let layer = 0; layer < shape.layers; layer++)
        for (const [i, owner] of owners.entries())
          for (let head = 0; head < shape.kvHeads; head++)
            for (let row = 0; row < counts[i]!; row++)
              for (let d = 0; d < shape.headDim; d++)
                rows[(layer * owners.length + i) * size(chunk) + placeOf(part, head, row, d, chunk)] = mark(
                  owner,
                  starts[i]! + row,
                  head,
                );
      return rows;
    };
    cache.past(first, owners.length, Math.max(...starts.map((start, i) => start + counts[i]!)));
    cache.append(first, counts, chunk, { keys: rowsOf("keys"), values: rowsOf("values") });
  }

  function assertHolds(cache: KvCache, slot: number, owner: number, length: number): void {
    assert.equal(cache.lengths[slot], length);
    const { capacity, arrays } = cache.past(slot, 1, length);
    const parts = arrays.length / shape.layers;
    for (const [i, view] of arrays.entries())
      for (let head = 0; head < shape.kvHeads; head++) {
        if (i % parts === 2) assertBias(view, head, owner, length, capacity);
        else
          for (let position = 0; position < length; position++)
            for (let d = 0; d < shape.headDim; d++) {
              const value = view[placeOf(i % parts === 0 ? "keys" : "values", head, position, d, capacity)];
              assert.equal(value, mark(owner, position, head));
            }
      }
  }

  function assertBias(view: CacheArray, head: number, owner: number, length: number, capacity: number): void {
    for (let position = 0; position < capacity; position++) {
      const sum = shape.headDim * mark(owner, position, head) || 0;
      const expected = position < length ? 0 - ZERO_QUERY * sum : MASKED_SCORE;
      assert.equal(view[head * capacity + position], expected);
    }
  }

  /** A cache whose first slots are packed. */
  function open(slots: number, packed: number, context = shape.context): KvCache {
    const cache = new KvCache({ ...shape, context }, slots);
    for (let slot = 0; slot < packed; slot++) cache.pack();
    return cache;
  }

  describe(`the ${precision} cache`, () => {
    it("keeps every slot's rows while its capacity grows to the window and shrinks again", () => {
      const cache = open(3, 3);
      append(cache, 0, [1, 2, 3], [5, 60, 1]);
      const narrow = cache.capacity;
      append(cache, 1, [2], [140]);
      assert.ok(cache.capacity >= 200 && narrow < cache.capacity);
      assertHolds(cache, 0, 1, 5);
      assertHolds(cache, 1, 2, 200);
      assertHolds(cache, 2, 3, 1);
      cache.truncate(1, 0);
      append(cache, 2, [3], [4]);
      assert.equal(cache.capacity, narrow);
      assertHolds(cache, 0, 1, 5);
      assertHolds(cache, 2, 3, 5);
    });

    for (const context of [200, 20_000])
      it(`swaps slots of different lengths, with a context of ${context}`, () => {
        const cache = open(4, 4, context);
        append(cache, 0, [1, 2, 3], [7, 100, 30]);
        cache.swap(0, 1);
        assertHolds(cache, 0, 2, 100);
        assertHolds(cache, 1, 1, 7);
        cache.swap(2, 3);
        assertHolds(cache, 3, 3, 30);
        append(cache, 3, [3], [1]);
        assertHolds(cache, 3, 3, 31);
        assert.equal(cache.lengths[2], 0);
      });

    it("keeps the rows of loose slots while the packed ones grow, shrink and come to many", () => {
      const cache = open(4, 4);
      append(cache, 0, [1, 2, 3, 4], [20, 30, 200, 150]);
      cache.unpack();
      cache.unpack();
      append(cache, 0, [1, 2], [180, 10]);
      cache.truncate(0, 20);
      cache.reserve(1);
      cache.swap(2, 3);
      cache.pack();
      assertHolds(cache, 2, 4, 150);
      cache.truncate(3, 40);
      cache.pack();
      assertHolds(cache, 0, 1, 20);
      assertHolds(cache, 1, 2, 40);
      assertHolds(cache, 2, 4, 150);
      assertHolds(cache, 3, 3, 40);
    });

    it("takes no loose slot's rows for the length of the packed ones", () => {
      const cache = open(2, 2);
      append(cache, 0, [1, 2], [10, 200]);
      cache.unpack();
      cache.reserve(11);
      assert.ok(cache.capacity < 100);
    });

    it("fills loose slots without a change to the packed ones", () => {
      const cache = open(4, 2);
      append(cache, 0, [1, 2], [20, 30]);
      const narrow = cache.capacity;
      append(cache, 2, [3, 4], [40, 7]);
      append(cache, 2, [3], [150]);
      append(cache, 3, [4], [3]);
      assert.equal(cache.capacity, narrow);
      assertHolds(cache, 0, 1, 20);
      assertHolds(cache, 1, 2, 30);
      assertHolds(cache, 2, 3, 190);
      assertHolds(cache, 3, 4, 10);
      cache.pack();
      assertHolds(cache, 0, 1, 20);
      assertHolds(cache, 1, 2, 30);
      assertHolds(cache, 2, 3, 190);
      assertHolds(cache, 3, 4, 10);
    });

    it("gives a run over loose slots a capacity as short as they are", () => {
      const cache = open(4, 1);
      append(cache, 0, [1], [190]);
      append(cache, 1, [2, 3, 4], [16, 30, 5]);
      const { capacity, arrays } = cache.past(1, 3, 60);
      assert.ok(capacity < 100 && capacity >= 30);
      const values = arrays[1]!;
      assert.equal(values.length, 3 * size(capacity));
      assert.equal(values[size(capacity) + placeOf("values", 2, 29, 0, capacity)], mark(3, 29, 2));
      assert.equal(values[2 * size(capacity) + placeOf("values", 0, 4, 0, capacity)], mark(4, 4, 0));
    });

    it("refuses rows for packed and loose slots at once, and past the last", () => {
      const cache = open(3, 1);
      const rows = { keys: numbers(2 * shape.layers * size(1)), values: numbers(2 * shape.layers * size(1)) };
      assert.throws(() => cache.append(0, [1, 1], 1, rows), /expected slots of one kind, got 0 to 2/);
      assert.throws(() => cache.append(2, [1, 1], 1, rows), /expected slots of one kind, got 2 to 4/);
    });

    it("copies the beginning of a packed slot, and of a loose one", () => {
      const cache = open(4, 1);
      append(cache, 0, [1], [90]);
      append(cache, 1, [2], [120]);
      cache.extend(2, 0, 48);
      append(cache, 2, [1], [1]);
      cache.extend(3, 1, 32);
      cache.extend(3, 1, 112);
      assertHolds(cache, 0, 1, 90);
      assertHolds(cache, 1, 2, 120);
      assertHolds(cache, 2, 1, 49);
      assertHolds(cache, 3, 2, 112);
    });

    it("has capacities that are multiples of a vector register", () => {
      for (const context of [1, 17, 64, 100, 1000]) {
        const cache = open(1, 1, context);
        for (let tokens = 1; tokens <= context; tokens++) {
          cache.reserve(tokens);
          assert.ok(cache.capacity >= tokens && cache.capacity % 16 === 0);
        }
      }
    });

    it("gives zero-copy views", () => {
      const cache = open(2, 2);
      append(cache, 0, [1, 2], [3, 3]);
      const [view] = cache.views(1, 1, cache.capacity);
      view![0] = 42;
      assert.equal(cache.views(0, 2, cache.capacity)[0]![size(cache.capacity)], 42);
    });

    it("gives a run over nothing a past that it can be fed", () => {
      const cache = open(3, 1);
      append(cache, 1, [2], [70]);
      cache.truncate(1, 0);
      const { capacity, arrays } = cache.past(1, 2, 40);
      if (precision === "fp32") assert.equal(capacity, 0);
      else assert.ok(capacity > 0 && arrays[2]!.every((bias) => bias === MASKED_SCORE));
    });
  });
}
