import assert from "node:assert/strict";
import { it } from "node:test";
import { philox, uniform } from "./philox.js";

it("gives the known answers of the authors' Random123 library", () => {
  const all = 0xffffffff;
  const known = [
    [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [[all, all, all, all], [all, all], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      "d16cfe09 94fdcceb 5001e420 24126ea1",
    ],
  ] as const;
  for (const [counter, key, expected] of known) {
    const words = philox([...counter], [...key]).map((word) => word.toString(16).padStart(8, "0"));
    assert.equal(words.join(" "), expected);
  }
});

it("draws numbers in [0, 1) that differ by seed half and position", () => {
  const drawn = new Set<number>();
  for (let position = 0; position < 1000; position++) {
    for (const seed of [
      [1, 0],
      [0, 1],
    ] as const) {
      const value = uniform(seed, position);
      assert.ok(value >= 0 && value < 1);
      drawn.add(value);
    }
  }
  assert.equal(drawn.size, 2000);
});
