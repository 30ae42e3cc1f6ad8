import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KvCache } from "./kv-cache.js";

const shape = { layers: 2, kvHeads: 3, headDim: 4, context: 200 };

/** Every value of a token's rows tells whose they are. */
const mark = (owner: number, position: number) => owner * 1000 + position;

/** Appends `count` marked tokens to each of `owners`, who lie in the slots from `first` on. */
function append(cache: KvCache, first: number, owners: number[], counts: number[]): void {
  const chunk = Math.max(...counts);
  const rows = new Float32Array(
    2 * shape.layers * owners.length * shape.kvHeads * chunk * shape.headDim,
  ).fill(-1);
  const starts = owners.map((_, i) => cache.lengths[first + i]!);
  let place = 0;
  for (let part = 0; part < 2 * shape.layers; part++) {
    for (const [i, owner] of owners.entries()) {
      for (let head = 0; head < shape.kvHeads; head++) {
        for (let row = 0; row < chunk; row++, place += shape.headDim) {
          if (row < counts[i]!)
            rows.fill(mark(owner, starts[i]! + row) + head / 8, place, place + shape.headDim);
        }
      }
    }
  }
  cache.past(first, owners.length, Math.max(...starts.map((start, i) => start + counts[i]!)));
  cache.append(first, counts, chunk, rows);
}

function assertHolds(cache: KvCache, slot: number, owner: number, length: number): void {
  assert.equal(cache.lengths[slot], length);
  const { capacity, arrays } = cache.past(slot, 1, length);
  for (const view of arrays) {
    for (let head = 0; head < shape.kvHeads; head++) {
      for (let position = 0; position < length; position++) {
        for (let d = 0; d < shape.headDim; d++) {
          const value = view[(head * capacity + position) * shape.headDim + d];
          assert.equal(value, mark(owner, position) + head / 8);
        }
      }
    }
  }
}

/** A cache whose first slots are packed. */
function open(slots: number, packed: number, context = shape.context): KvCache {
  const cache = new KvCache({ ...shape, context }, slots);
  for (let slot = 0; slot < packed; slot++) cache.pack();
  return cache;
}

describe("the cache", () => {
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

  it("swaps slots of different lengths", () => {
    const cache = open(4, 4);
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
    const last = arrays.at(-1)!;
    assert.equal(last.length, 3 * shape.kvHeads * capacity * shape.headDim);
    assert.equal(last[((1 * shape.kvHeads + 2) * capacity + 29) * shape.headDim], mark(3, 29) + 2 / 8);
    assert.equal(last[(2 * shape.kvHeads * capacity + 4) * shape.headDim], mark(4, 4));
  });

  it("refuses rows for packed and loose slots at once, and past the last", () => {
    const cache = open(3, 1);
    const rows = new Float32Array(2 * shape.layers * 2 * shape.kvHeads * shape.headDim);
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
    assert.equal(cache.views(0, 2, cache.capacity)[0]![shape.kvHeads * cache.capacity * shape.headDim], 42);
  });
});
