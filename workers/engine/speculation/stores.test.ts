import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Stores } from "./stores.js";

describe("the stores of callers", () => {
  it("drafts for a caller nothing that another was told", () => {
    const stores = new Stores();
    stores.of("a").add([1, 2, 3, 4]);
    assert.deepEqual(stores.of("b").draft([1, 2, 3], 7, 0.5).ids, []);
    assert.deepEqual(stores.of("a").draft([1, 2, 3], 7, 0.5).ids, [4]);
  });

  it("forgets the caller who has asked for the longest time, however many come", () => {
    const stores = new Stores();
    const [first, second] = [stores.of("first"), stores.of("second")];
    for (let i = 0; i < 14; i++) stores.of(`${i}`);
    assert.equal(stores.of("first"), first);
    stores.of("one more");
    assert.equal(stores.of("first"), first);
    assert.notEqual(stores.of("second"), second);
  });
});
