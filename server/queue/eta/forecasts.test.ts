// Whole loads on a virtual clock: the waits that were foretold against those that came.
import assert from "node:assert/strict";
import { test } from "node:test";
import { LOADS, record } from "../fixtures/loads.js";
import { type Forecast, type Replay, replay } from "../fixtures/replay.js";

/** A Retry-After is in whole seconds, and a shorter wait is that for one sequence, whose length nobody knows. */
const SHORTEST_MS = 1000;

/** Bounds on errors in powers of two: 0.26 is 20 % too long, 1 is twice or half as long. A twentieth above what is measured. */
const BOUNDS: Record<keyof typeof LOADS, Record<keyof Replay, [median: number, p90: number]>> = {
  "one caller, who sends more than there is room for": {
    waits: [0.16, 0.41],
    updates: [0.18, 0.45],
    retries: [0.18, 0.39],
  },
  "a heavy caller, light ones and one of a higher class": {
    waits: [0.26, 0.78],
    updates: [0.26, 0.77],
    retries: [0.18, 0.52],
  },
  "several workers, which batch apart": { waits: [0.26, 0.59], updates: [0.2, 0.54], retries: [0.24, 0.56] },
  "a mixed load on two slots": { waits: [0.58, 1.63], updates: [0.58, 1.54], retries: [0.54, 1.21] },
  "a mixed load on two workers": { waits: [0.58, 1.86], updates: [0.66, 1.57], retries: [0.45, 1.13] },
  "a mixed load on one worker of many slots": {
    waits: [0.58, 1.79],
    updates: [0.63, 1.3],
    retries: [0.49, 0.99],
  },
};

const errorOf = ({ foretold, actual }: Forecast) => Math.abs(Math.log2(Math.max(foretold, 10) / actual));

for (const [name, load] of Object.entries(LOADS)) {
  test(`of ${name}: waits and Retry-Afters are foretold as well as they can be`, async () => {
    const bounds = BOUNDS[name]!;
    const errors = { waits: [] as number[], updates: [] as number[], retries: [] as number[] };
    for (const seed of [1, 2, 3]) {
      const told = await replay(load.machine, record(load, seed));
      for (const kind of ["waits", "updates", "retries"] as const)
        errors[kind].push(...told[kind].filter(({ actual }) => actual >= SHORTEST_MS).map(errorOf));
    }
    for (const kind of ["waits", "updates", "retries"] as const) {
      const sorted = errors[kind].toSorted((a, b) => a - b);
      assert.ok(sorted.length > 100, `${sorted.length} ${kind}`);
      for (const [n, share] of [0.5, 0.9].entries()) {
        const error = sorted[Math.floor(sorted.length * share)]!;
        assert.ok(error <= bounds[kind][n]!, `${kind}: ${error} at ${share}, expected ${bounds[kind][n]}`);
      }
    }
  });
}
