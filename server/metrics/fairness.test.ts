import assert from "node:assert/strict";
import { test } from "node:test";
import { fairness } from "./fairness.js";

for (const [what, callers, expected] of [
  ["nobody waits", [[4, 0]], 1],
  [
    "callers that wait have as many slots each",
    [
      [2, 1],
      [2, 5],
    ],
    1,
  ],
  [
    "one of two callers has all slots",
    [
      [4, 1],
      [0, 1],
    ],
    0.5,
  ],
  [
    "a caller that has nothing waiting does not count",
    [
      [9, 0],
      [1, 1],
      [1, 1],
    ],
    1,
  ],
  [
    "nothing runs",
    [
      [0, 1],
      [0, 1],
    ],
    1,
  ],
] as [string, [number, number][], number][])
  test(`fairness is ${expected} if ${what}`, () => {
    assert.equal(fairness(callers.map(([running, waiting]) => ({ running, waiting }))), expected);
  });
