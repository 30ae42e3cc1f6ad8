import assert from "node:assert/strict";
import { test } from "node:test";
import { mulberry32 } from "../../models/recipe/random.js";
import { Heap } from "./heap.js";

test("what comes before all else comes first, whatever was added, taken or removed meanwhile", () => {
  const random = mulberry32(1);
  const heap = new Heap<number>((a, b) => a < b);
  let items: number[] = [];
  for (let n = 0; n < 5000; n++) {
    const what = random();
    if (what < 0.5) {
      const item = Math.floor(random() * 1000);
      heap.push(item);
      items.push(item);
    } else if (what < 0.8) {
      items.sort((a, b) => a - b);
      assert.equal(heap.pop(), items.shift());
    } else if (items.length > 0) {
      const [gone] = items.splice(Math.floor(random() * items.length), 1);
      heap.remove(gone!);
    }
    assert.equal(heap.items.length, items.length);
    assert.equal(heap.items[0], items.length === 0 ? undefined : Math.min(...items));
  }
  const copy = new Heap((a, b) => a < b, [...heap.items]);
  items = items.toSorted((a, b) => a - b);
  assert.deepEqual(
    items.map(() => copy.pop()),
    items,
  );
});
