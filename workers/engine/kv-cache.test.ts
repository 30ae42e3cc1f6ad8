import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KvCache } from "./kv-cache.js";

const shape = { layers: 2, heads: 3, headDim: 4, context: 200 };

/** Every value of a token's rows says whose they are. */
const mark = (owner: number, position: number) => owner * 1000 + position;

/** Appends `count` marked tokens to each of `owners`, who lie in the slots from `first` on. */
function append(cache: KvCache, first: number, owners: number[], counts: number[]): void {
  const chunk = Math.max(...counts);
  const rows = new Float32Array(2 * shape.layers * owners.length * shape.heads * chunk * shape.headDim).fill(
    -1,
  );
  const starts = owners.map((_, i) => cache.lengths[first + i]!);
  let place = 0;
  for (let part = 0; part < 2 * shape.layers; part++) {
    for (const [i, owner] of owners.entries()) {
      for (let head = 0; head < shape.heads; head++) {
        for (let row = 0; row < chunk; row++, place += shape.headDim) {
          if (row < counts[i]!)
            rows.fill(mark(owner, starts[i]! + row) + head / 8, place, place + shape.headDim);
        }
      }
    }
  }
  cache.reserve(Math.max(...starts.map((start, i) => start + counts[i]!)));
  cache.append(first, counts, chunk, rows);
}

function assertHolds(cache: KvCache, slot: number, owner: number, length: number): void {
  assert.equal(cache.lengths[slot], length);
  for (const view of cache.views(slot, 1, cache.capacity)) {
    for (let head = 0; head < shape.heads; head++) {
      for (let position = 0; position < length; position++) {
        for (let d = 0; d < shape.headDim; d++) {
          const value = view[(head * cache.capacity + position) * shape.headDim + d];
          assert.equal(value, mark(owner, position) + head / 8);
        }
      }
    }
  }
}

/** A cache with its first `used` slots in use. */
function open(slots: number, used: number, context = shape.context): KvCache {
  const cache = new KvCache({ ...shape, context }, slots);
  for (let slot = 0; slot < used; slot++) cache.open(0);
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

  it("keeps the rows of free slots while those in use grow, shrink and come to many", () => {
    const cache = open(4, 4);
    append(cache, 0, [1, 2, 3, 4], [20, 30, 200, 150]);
    cache.close();
    cache.close();
    append(cache, 0, [1, 2], [180, 10]);
    cache.truncate(0, 20);
    cache.reserve(1);
    cache.swap(2, 3);
    cache.open(150);
    assertHolds(cache, 2, 4, 150);
    cache.open(40);
    assertHolds(cache, 0, 1, 20);
    assertHolds(cache, 1, 2, 40);
    assertHolds(cache, 2, 4, 150);
    assertHolds(cache, 3, 3, 40);
  });

  it("takes no free slot's rows for the length of those in use", () => {
    const cache = open(2, 2);
    append(cache, 0, [1, 2], [10, 200]);
    cache.close();
    cache.reserve(11);
    assert.ok(cache.capacity < 100);
  });

  it("copies the beginning of a slot in use, and of a free one", () => {
    const cache = open(3, 3);
    append(cache, 0, [1, 2, 3], [16, 90, 120]);
    cache.close();
    cache.truncate(0, 0);
    cache.extend(0, 1, 48);
    append(cache, 0, [2], [1]);
    assertHolds(cache, 0, 2, 49);
    assertHolds(cache, 1, 2, 90);
    cache.truncate(1, 0);
    cache.extend(1, 2, 112);
    cache.open(120);
    assertHolds(cache, 1, 3, 112);
    assertHolds(cache, 2, 3, 120);
    cache.truncate(0, 0);
    cache.extend(0, 2, 32);
    cache.extend(0, 1, 96);
    assertHolds(cache, 0, 3, 96);
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
    assert.equal(cache.views(0, 2, cache.capacity)[0]![shape.heads * cache.capacity * shape.headDim], 42);
  });
});
