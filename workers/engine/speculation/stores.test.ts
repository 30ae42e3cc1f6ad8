import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Said } from "./said.js";
import { Stores } from "./stores.js";

const MOST_CALLERS = 16;
const TEXT = [5, 6, 7, 8, 9];

describe("stores of what was said to callers", () => {
  const knows = (said: Said) => said.draft(TEXT.slice(0, 3), 2, 0).ids.length > 0;

  it("give a caller the same store again, and others none of it", () => {
    const stores = new Stores();
    stores.of("one").add(TEXT);
    assert.ok(knows(stores.of("one")));
    assert.equal(stores.of("one"), stores.of("one"));
    for (const other of ["", "two", "ONE", "one "]) assert.ok(!knows(stores.of(other)), other);
  });

  it("forget the caller who has asked for the longest time for one too many", () => {
    const stores = new Stores();
    const callers = Array.from({ length: MOST_CALLERS }, (_, i) => `caller ${i}`);
    for (const caller of callers) stores.of(caller).add(TEXT);
    // The first asks again, so the second is the oldest.
    stores.of(callers[0]!);
    stores.of("newcomer");
    for (const caller of callers.filter((_, i) => i !== 1)) assert.ok(knows(stores.of(caller)), caller);
    assert.ok(!knows(stores.of(callers[1]!)));
  });
});
