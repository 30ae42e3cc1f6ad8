import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { randomCases } from "../../../ops/random-cases.js";
import { uniform } from "../sampling/philox.js";
import { Said } from "./said.js";

const CAPACITY = 2 ** 15;
const LONGEST_MATCH = 10;
const MOST_PLACES = 6;
const BETWEEN = -1;

const saidOf = (...texts: number[][]) => {
  const said = new Said();
  for (const text of texts) said.add(text);
  return said;
};

describe("drafts from what was said", () => {
  it("go on as the longest match did, though newer texts went on otherwise after fewer tokens", () => {
    const said = saidOf([1, 2, 3, 4, 5, 6, 70], [9, 9, 4, 5, 6, 80], [8, 8, 4, 5, 6, 80]);
    const { ids, matched } = said.draft([1, 2, 3, 4, 5, 6], 1, 0.5);
    assert.deepEqual([ids, matched], [[70], 6]);
  });

  it("go on as most places of equal matches did, with their share", () => {
    const said = saidOf([1, 2, 3, 60], [1, 2, 3, 70], [1, 2, 3, 60]);
    const { ids, shares } = said.draft([9, 1, 2, 3], 1, 0);
    assert.deepEqual(ids, [60]);
    assert.deepEqual(shares, [2 / 3]);
  });

  it("go on as the newest of equal votes did", () => {
    assert.deepEqual(saidOf([1, 2, 3, 60], [1, 2, 3, 70]).draft([1, 2, 3], 1, 0).ids, [70]);
  });

  it("end where fewer places agree than asked for", () => {
    const said = saidOf([1, 2, 3, 4, 60], [1, 2, 3, 4, 70], [1, 2, 3, 4, 80]);
    assert.deepEqual(said.draft([1, 2, 3], 5, 0.5).ids, [4]);
    assert.deepEqual(said.draft([1, 2, 3], 5, 1 / 3).ids, [4, 80]);
    assert.deepEqual(said.draft([1, 2, 3], 5, 0.34).ids, [4]);
  });

  it("count a place whose text ended against all others", () => {
    assert.deepEqual(saidOf([1, 2, 3, 60], [1, 2, 3], [1, 2, 3]).draft([1, 2, 3], 1, 0).shares, [1 / 3]);
  });

  it("follow the places that agreed, and no others, to the end of their text", () => {
    const said = saidOf([1, 2, 3, 10, 11, 12], [1, 2, 3, 10, 11, 12], [1, 2, 3, 20, 21, 22]);
    const { ids, shares } = said.draft([1, 2, 3], 7, 0.5);
    assert.deepEqual(ids, [10, 11, 12]);
    assert.deepEqual(shares, [2 / 3, 1, 1]);
  });

  it("have at most as many tokens as asked for", () => {
    const said = saidOf([1, 2, 3, 4, 5, 6, 7]);
    for (const most of [0, 1, 3]) assert.equal(said.draft([1, 2, 3], most, 0).ids.length, most);
  });

  it("match nothing across two texts, nor go on from one into the next", () => {
    const said = saidOf([1, 2, 3], [4, 5, 6], [7, 8, 9]);
    for (const text of [
      [2, 3, 4],
      [3, 4, 5],
      [1, 2, 3],
      [6, 7, 8],
    ])
      assert.deepEqual(said.draft(text, 7, 0).ids, [], `after ${text}`);
    assert.equal(saidOf([2, 2, 1, 2, 3, 50]).draft([2, 2, 1, 2, 3], 1, 0).matched, 5);
    assert.equal(saidOf([2, 2], [1, 2, 3, 50]).draft([2, 2, 1, 2, 3], 1, 0).matched, 3);
  });

  it("need three tokens that are the same", () => {
    const said = saidOf([1, 2, 3, 4]);
    for (const text of [[], [3], [2, 3], [9, 2, 3], [1, 9, 3]])
      assert.deepEqual(said.draft(text, 7, 0).ids, []);
  });

  // Few enough tokens that no two contexts share a bucket, whose places count towards those that are looked at.
  for (const [kind, alphabet, rare] of [
    ["two tokens", 2, 0],
    ["three tokens", 3, 0],
    ["four tokens", 4, 0],
    ["two tokens, with texts of four others now and then", 2, 4],
  ] as const)
    it(`are what a search through the newest texts of ${kind} finds, while the oldest are overwritten`, () => {
      const said = new Said();
      const all: number[] = [];
      const seed = [alphabet, rare] as const;
      let drawn = 0;
      const below = (most: number) => Math.floor(uniform(seed, drawn++) * most);
      const text = (length: number, first = 0, of: number = alphabet) =>
        Array.from({ length }, () => first + below(of));
      const asks = () => {
        // Texts near the edge, of which a part is overwritten already.
        const edge = Math.max(0, all.length - CAPACITY + below(60) - 30);
        const atEdge = all.slice(edge, edge + 3 + below(12)).filter((id) => id !== BETWEEN);
        return [text(below(20)), atEdge, ...(rare > 0 ? [text(3, 10, rare), text(4, 10, rare)] : [])];
      };
      for (let turn = 0; all.length < randomCases(2.3, 6) * CAPACITY; turn++) {
        const added = rare > 0 && turn % 2 === 0 ? text(1 + below(30), 10, rare) : text(1 + below(600));
        said.add(added);
        all.push(BETWEEN, ...added);
        for (const [i, asked] of asks().entries()) {
          const least = [0, 0.5, 0.9][(turn + i) % 3]!;
          const { expected: _, ...draft } = said.draft(asked, 7, least);
          assert.deepEqual(draft, search(all, asked, 7, least), `after ${asked}, ${all.length} tokens said`);
        }
      }
    });

  it("find a text until it is overwritten, and nothing of it afterwards", () => {
    const marked = Array.from({ length: 40 }, (_, i) => 1000 + i);
    const said = saidOf(marked);
    const drafted = () => marked.filter((_, i) => said.draft(marked.slice(i, i + 3), 1, 0).ids.length > 0);
    assert.equal(drafted().length, 37);
    let found = 37;
    for (let added = 42; added < CAPACITY + 60; added += added < CAPACITY - 60 ? 21 : 2) {
      said.add(new Array(added < CAPACITY - 60 ? 20 : 1).fill(0));
      const now = drafted();
      assert.ok(now.length <= found);
      // What is found is the newest part.
      assert.deepEqual(now, marked.slice(37 - now.length, 37));
      found = now.length;
    }
    assert.equal(found, 0);
  });

  it("count an overwritten place no more, though its text was said again where it lay", () => {
    const marked = Array.from({ length: 12 }, (_, i) => 1000 + i);
    for (let distance = CAPACITY - 16; distance <= CAPACITY + 16; distance++) {
      const texts = [marked, new Array<number>(distance - marked.length - 2).fill(0), marked];
      const all = texts.flatMap((text) => [BETWEEN, ...text]);
      for (const asked of [marked.slice(0, 3), marked.slice(4, 8), marked.slice(0, 11)]) {
        const { expected: _, ...draft } = saidOf(...texts).draft(asked, 3, 0);
        assert.deepEqual(draft, search(all, asked, 3, 0), `at a distance of ${distance}`);
      }
    }
  });

  describe("judged by what became of them", () => {
    const text = Array.from({ length: 30 }, (_, i) => i);
    const after = text.slice(0, 5);

    it("promise less after they failed, and more after they came true", () => {
      const said = saidOf(text);
      const promise = () => said.draft(after, 4, 0).expected;
      const first = promise();
      said.judge(said.draft(after, 4, 0), 4, 4);
      const better = promise();
      for (const [i, expected] of better.entries()) assert.ok(expected > first[i]!);
      for (let times = 0; times < 3; times++) said.judge(said.draft(after, 4, 0), 4, 0);
      for (const [i, expected] of promise().entries()) assert.ok(expected < better[i]!);
    });

    it("learn nothing of tokens behind the first that failed, nor of those that were cut off", () => {
      const said = saidOf(text);
      // From five tokens on, so that each of the four has its own record.
      const gains = () => {
        const { expected } = said.draft(after, 4, 0);
        const each = expected.map((sum, i) => sum - (expected[i - 1] ?? 0));
        return each.map((gain, i) => gain / (each[i - 1] ?? 1));
      };
      const changed = (judge: () => void) => {
        const before = gains();
        judge();
        return gains().map((gain, i) => (gain > before[i]! + 1e-9 ? 1 : gain < before[i]! - 1e-9 ? -1 : 0));
      };
      assert.deepEqual(
        changed(() => said.judge(said.draft(after, 4, 0), 4, 1)),
        [1, -1, 0, 0],
      );
      assert.deepEqual(
        changed(() => said.judge(said.draft(after, 4, 0), 2, 2)),
        [1, 1, 0, 0],
      );
    });

    it("come to promise as many as come true", () => {
      const said = saidOf(text);
      // Each first token comes true 3 times of 4.
      for (let step = 0; step < 2000; step++)
        said.judge(said.draft(after, 1, 0), 1, uniform([4, 4], step) < 0.75 ? 1 : 0);
      const [expected] = said.draft(after, 1, 0).expected;
      assert.ok(Math.abs(expected! - 0.75) < 0.15, `${expected}`);
    });

    it("promise no more tokens than they have, though few places agreed on what always came true", () => {
      const said = saidOf([...after, 60], [...after, 70]);
      for (let step = 0; step < 300; step++) said.judge(said.draft(after, 1, 0), 1, 1);
      // From here on all places agree.
      for (let place = 0; place < MOST_PLACES; place++) said.add([...after, 80]);
      const { expected, shares } = said.draft(after, 1, 0);
      assert.deepEqual(shares, [1]);
      assert.ok(expected[0]! <= 1, `${expected[0]} of 1 token`);
    });
  });
});

/** What `Said` is to draft, found by going through all that was said, `BETWEEN` before each text. */
function search(all: readonly number[], asked: readonly number[], most: number, least: number) {
  const end = asked.length;
  let places: { next: number; weight: number }[] = [];
  const oldest = Math.max(0, all.length - CAPACITY + LONGEST_MATCH);
  for (let place = all.length - 1; place >= oldest && places.length < MOST_PLACES; place--) {
    let length = 0;
    while (length < Math.min(LONGEST_MATCH, end) && all[place - length] === asked[end - 1 - length]) length++;
    if (length >= 3) places.push({ next: place + 1, weight: 2 ** length });
  }
  const matched = Math.log2(Math.max(1, ...places.map(({ weight }) => weight)));
  const draft = { ids: [] as number[], matched, shares: [] as number[] };
  while (draft.ids.length < most && places.length > 0) {
    const votes = new Map<number, number>();
    for (const { next, weight } of places)
      votes.set(all[next] ?? BETWEEN, (votes.get(all[next] ?? BETWEEN) ?? 0) + weight);
    const total = places.reduce((sum, { weight }) => sum + weight, 0);
    votes.delete(BETWEEN);
    // Entries are in the order of the newest place of each; sorting keeps it among equals.
    const [best] = [...votes].sort((a, b) => b[1] - a[1]);
    if (!best || best[1] / total < least) break;
    draft.ids.push(best[0]);
    draft.shares.push(best[1] / total);
    places = places
      .filter(({ next }) => all[next] === best[0])
      .map(({ next, weight }) => ({ next: next + 1, weight }));
  }
  return draft;
}
