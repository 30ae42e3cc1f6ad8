import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Gain, MOST_DRAFTED } from "./gain.js";
import type { Draft } from "./said.js";

/** A draft whose every token comes true in this share of the cases, if the one before did. */
function draftOf(share: number, length = MOST_DRAFTED): Draft {
  let [all, sum] = [1, 0];
  const expected = Array.from({ length }, () => {
    all *= share;
    sum += all;
    return sum;
  });
  return { ids: new Array(length).fill(1), expected, matched: 5, shares: new Array(length).fill(1) };
}

interface World {
  batch: number;
  /** How long a step of so many rows of each sequence takes. */
  msOf: (rows: number) => number;
  /** What looking up adds to a step. */
  lookMs?: number;
  draft?: Draft | null;
  /** How many tokens come true of what was expected. */
  kept?: number;
}

/** Runs steps in which every sequence has the same draft. Returns how often was looked up, and how often so many were drafted. */
function live(gain: Gain, steps: number, { batch, msOf, lookMs = 0, draft = draftOf(0.8), kept = 1 }: World) {
  let [looked, ms, tokens] = [0, 0, 0];
  const drafted = new Array<number>(MOST_DRAFTED + 1).fill(0);
  for (let step = 0; step < steps; step++) {
    const looks = gain.looksUp(batch);
    const most = looks ? gain.most(batch, draft ? new Array(batch).fill(draft) : []) : 0;
    const brought = batch * (1 + (most > 0 ? kept * draft!.expected[most - 1]! : 0));
    const took = msOf(most + 1) + (looks ? lookMs : 0);
    gain.took(took, batch, most + 1, brought);
    if (looks) looked++;
    drafted[most]!++;
    ms += took;
    tokens += brought;
  }
  const usual = drafted.indexOf(Math.max(...drafted));
  return { looked: looked / steps, drafted, usual, pace: tokens / ms };
}

describe("the gain of drafts", () => {
  const cheap = (rows: number) => 10 + 0.1 * rows;
  const dear = (rows: number) => 10 * rows;

  for (const batch of [1, 3, 8, 32]) {
    it(`makes a batch of ${batch} draft at nearly all steps where rows are cheap`, () => {
      const { drafted, pace } = live(new Gain(), 500, { batch, msOf: cheap });
      assert.ok(drafted[0]! < 500 / 5, `${drafted[0]} plain steps`);
      assert.ok(pace > (2.5 * batch) / cheap(1), `${pace} tokens a millisecond`);
    });

    it(`makes a batch of ${batch} stop where rows are dear, and soon look up nothing for most steps`, () => {
      const gain = new Gain();
      const world = { batch, msOf: dear, lookMs: 0.3 };
      const first = live(gain, 200, world);
      assert.ok(first.drafted[0]! > 180, `${first.drafted[0]} plain steps of 200`);
      live(gain, 3000, world);
      const later = live(gain, 4000, world);
      assert.ok(later.looked < 0.2, `looked up at ${later.looked} of the steps`);
      assert.ok(later.pace > (0.98 * batch) / dear(1));
    });

    it(`makes a batch of ${batch} draft again when dear rows become cheap, and stop when they become dear`, () => {
      const gain = new Gain();
      live(gain, 4000, { batch, msOf: dear });
      live(gain, 3000, { batch, msOf: cheap });
      assert.ok(live(gain, 500, { batch, msOf: cheap }).drafted[0]! < 100);
      live(gain, 500, { batch, msOf: dear });
      assert.ok(live(gain, 500, { batch, msOf: dear }).drafted[0]! > 450);
    });
  }

  it("is looked up for few steps where nothing is ever found", () => {
    const gain = new Gain();
    const world = { batch: 1, msOf: cheap, lookMs: 0.1, draft: null };
    live(gain, 4000, world);
    assert.ok(live(gain, 4000, world).looked < 0.2);
  });

  it("is none where drafts promise much and keep little", () => {
    const gain = new Gain();
    const world = { batch: 4, msOf: (rows: number) => 10 + 4 * rows, kept: 0.02 };
    live(gain, 4000, world);
    const later = live(gain, 4000, world);
    assert.ok(later.drafted[0]! > 3600, `${later.drafted[0]} plain steps of 4000`);
  });

  it("is greatest at the number of tokens that brings the most a millisecond", () => {
    for (const msOf of [
      cheap,
      (rows: number) => 10 + 2 * rows,
      // A step is dear beyond four rows, as where a kernel changes.
      (rows: number) => (rows <= 4 ? 10 + 0.2 * rows : 25 + rows),
      (rows: number) => (rows <= 2 ? 10 : 30),
    ])
      for (const share of [0.95, 0.8, 0.65]) {
        const draft = draftOf(share);
        const paces = Array.from(
          { length: MOST_DRAFTED + 1 },
          (_, most) => (1 + (draft.expected[most - 1] ?? 0)) / msOf(most + 1),
        );
        const { usual } = live(new Gain(), 3000, { batch: 2, msOf, draft });
        assert.ok(
          paces[usual]! >= 0.97 * Math.max(...paces),
          `${usual} tokens at ${paces.map((pace) => pace.toFixed(3))}`,
        );
      }
  });

  it("is no draft longer than the longest, and none before a plain step was measured", () => {
    const gain = new Gain();
    assert.equal(gain.most(1, [draftOf(0.9)]), 0);
    const { drafted } = live(gain, 300, { batch: 1, msOf: cheap, draft: draftOf(0.9, 3) });
    assert.deepEqual(drafted.slice(4), [0, 0, 0, 0]);
    assert.ok(drafted[3]! > 200);
  });

  it("is learned by the size of the batch", () => {
    const gain = new Gain();
    live(gain, 3000, { batch: 16, msOf: dear });
    assert.ok(live(gain, 300, { batch: 1, msOf: cheap }).drafted[0]! < 60);
    assert.ok(live(gain, 300, { batch: 16, msOf: dear }).drafted[0]! > 270);
  });

  it("outlasts a step that was interrupted", () => {
    const gain = new Gain();
    const world = { batch: 1, msOf: cheap };
    live(gain, 500, world);
    let step = 0;
    live(gain, 24, { ...world, msOf: (rows) => (step++ === 5 ? 2000 : cheap(rows)) });
    assert.ok(live(gain, 300, world).drafted[0]! < 75);
  });

  /** The first step of each number of rows takes ten times as long. */
  const coldAtFirst = (msOf: World["msOf"]) => {
    const seen = new Set<number>();
    return (rows: number) => {
      const isFirst = !seen.has(rows);
      seen.add(rows);
      return isFirst ? 10 * msOf(rows) : msOf(rows);
    };
  };

  it("is not misled by the first step of its kind, which takes longer", () => {
    assert.ok(live(new Gain(), 200, { batch: 1, msOf: coldAtFirst(dear) }).drafted[0]! > 180);
    const gain = new Gain();
    const world = { batch: 1, msOf: coldAtFirst(cheap) };
    assert.ok(live(gain, 300, world).drafted[MOST_DRAFTED]! > 250);
    assert.ok(live(gain, 1000, world).drafted[0]! < 150);
  });

  it("is not misled for long by an interrupted step that is the first that counts", () => {
    let step = 0;
    const msOf = (rows: number) => (step++ === 1 ? 10 : 1) * dear(rows);
    assert.ok(live(new Gain(), 200, { batch: 1, msOf }).drafted[0]! > 170);
  });
});
