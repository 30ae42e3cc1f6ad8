import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ALL_CUTS, type Cut, compareCuts, FEW_CUTS } from "./exactness.js";
import type { StepSession } from "./step-session.js";

const shape = { layers: 1, kvHeads: 1, headDim: 2, context: 40, vocabulary: 3, precision: "int8" } as const;
const ids = Int32Array.from({ length: 20 }, (_, i) => i % 3);
const [first] = FEW_CUTS as [Cut];

/** A session of equal logits, but for what `added` adds to those of a run. */
function sessionOf(added: (run: { batch: number; chunk: number; capacity: number }) => number) {
  const capacities: number[] = [];
  const session: StepSession = {
    async run({ batch, chunk, capacity, lastRows }) {
      capacities.push(capacity);
      const logits = new Float32Array(lastRows.length * shape.vocabulary).fill(1);
      logits[0]! += added({ batch, chunk, capacity });
      const rows = new Int8Array(batch * chunk * shape.headDim);
      return { logits, maxima: new Float32Array(lastRows.length), present: { keys: rows, values: rows } };
    },
  };
  return { session, capacities };
}

describe("comparing the cuts of a text", () => {
  it("finds nothing where a run's bits depend on nothing", async () => {
    const { session } = sessionOf(() => 0);
    const { cuts, logits, differing } = await compareCuts(session, shape, ids, ALL_CUTS);
    assert.deepEqual([cuts, logits, differing], [45, 44 * ids.length * shape.vocabulary, 0]);
  });

  for (const [what, added] of [
    ["chunk", ({ chunk }) => (chunk === 5 ? 2 ** -23 : 0)],
    ["batch", ({ batch }) => (batch === 3 ? 2 ** -23 : 0)],
    ["capacity", ({ capacity }) => (capacity === 48 ? 2 ** -23 : 0)],
  ] as [string, Parameters<typeof sessionOf>[0]][])
    it(`finds a bit that depends on the ${what}, even in the few cuts of a start`, async () => {
      const { differing } = await compareCuts(sessionOf(added).session, shape, ids, FEW_CUTS);
      assert.ok(differing > 0);
    });

  it("takes no memory for a context of any length", async () => {
    const { session, capacities } = sessionOf(() => 0);
    await compareCuts(session, { ...shape, context: 2 ** 40 }, ids, [first, { chunk: 7, wide: true }]);
    assert.equal(Math.max(...capacities), 1024);
  });
});
