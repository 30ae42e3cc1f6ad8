import assert from "node:assert/strict";
import { test } from "node:test";
import { mulberry32 } from "../../models/recipe/random.js";
import { AGEING_MS, type Candidate, Lanes } from "./lanes.js";

interface Entry extends Candidate {
  name: string;
}

function createLanes() {
  const clock = { now: 0 };
  const lanes = new Lanes<Entry>(() => clock.now);
  let count = 0;
  const push = (caller: string, { priority = 0, tokens = 100 } = {}) =>
    lanes.push({ name: `${caller}${++count}`, caller, priority, tokens });
  const callers = (length: number) => Array.from({ length }, () => lanes.shift()?.caller ?? "-").join("");
  return { lanes, clock, push, callers };
}

const drain = (lanes: Lanes<Entry>) => Array.from({ length: lanes.size }, () => lanes.shift()!.name);

test("one caller's start in the order in which they came", () => {
  const { lanes, push } = createLanes();
  for (const tokens of [500, 1, 9000]) push("a", { tokens });
  assert.deepEqual(drain(lanes), ["a1", "a2", "a3"]);
  assert.equal(lanes.shift(), null);
});

test("a higher class goes first", () => {
  const { lanes, push } = createLanes();
  for (const priority of [0, -3, 7, 0]) push("a", { priority });
  assert.deepEqual(drain(lanes), ["a3", "a1", "a4", "a2"]);
});

test("a caller's first waits for one entry of another at most, whatever either costs", () => {
  for (const tokens of [1, 100, 1_000_000]) {
    for (const served of [0, 1, 2, 10]) {
      const { push, callers } = createLanes();
      for (let n = 0; n < 500; n++) push("a", { tokens: 200 });
      callers(served);
      push("b", { tokens });
      assert.match(callers(2), /b/, `${tokens} tokens, after ${served}`);
    }
  }
});

test("callers that ask for as much take turns", () => {
  const { push, callers } = createLanes();
  for (const caller of ["a", "a", "a", "a", "b", "b", "b", "c"]) push(caller);
  assert.equal(callers(8), "abcababa");
});

test("turns are by tokens, not by entries, and nobody hoards what is not used", () => {
  const { lanes, push } = createLanes();
  const random = mulberry32(1);
  const sizes: Record<string, number> = { a: 2000, b: 300, c: 80 };
  for (const [caller, size] of Object.entries(sizes))
    for (let n = 0; n < 400_000 / size; n++) push(caller, { tokens: Math.ceil(size * (0.5 + random())) });
  const started: Record<string, number> = { a: 0, b: 0, c: 0 };
  for (let n = 0; n < 2000; n++) {
    const { caller, tokens } = lanes.shift()!;
    started[caller]! += tokens;
  }
  const shares = Object.values(started);
  assert.ok(Math.max(...shares) - Math.min(...shares) < 5000, JSON.stringify(started));
});

test("a debt is remembered though its caller has nothing that waits", () => {
  const { lanes, push } = createLanes();
  for (let n = 0; n < 100; n++) push("a", { tokens: 100 });
  const started: Record<string, number> = { a: 0, b: 0 };
  push("b", { tokens: 1000 });
  for (let n = 0; n < 44; n++) {
    const { caller, tokens } = lanes.shift()!;
    started[caller]! += tokens;
    if (caller === "b") push("b", { tokens: 1000 });
  }
  assert.deepEqual(started, { a: 4000, b: 4000 });
});

test("a debt is forgiven once nobody waits", () => {
  const { push, callers } = createLanes();
  push("b", { tokens: 100_000 });
  assert.equal(callers(2), "b-");
  push("a");
  push("b");
  push("a");
  assert.equal(callers(3), "aba");
});

test("the lowest class starts at last, though higher ones come without end", () => {
  const { lanes, clock, push } = createLanes();
  push("low", { priority: -2 });
  let waited = 0;
  for (push("high"); lanes.shift()!.caller !== "low"; push("high")) {
    clock.now += 1000;
    waited += 1000;
  }
  assert.equal(waited, 2 * AGEING_MS);
});

test("one that has aged leaves the next of its line where it was", () => {
  const { clock, push, callers } = createLanes();
  for (let n = 0; n < 3; n++) push("a", { priority: -1 });
  clock.now = AGEING_MS;
  for (let n = 0; n < 3; n++) push("b");
  assert.equal(callers(6), "abbbaa");
});

test("a thousand that have waited for long don't go before another caller's first", () => {
  const { clock, push, callers } = createLanes();
  for (let n = 0; n < 1000; n++) push("a");
  for (let n = 0; n < 50; n++) {
    clock.now += AGEING_MS;
    callers(1);
  }
  clock.now += 5 * AGEING_MS;
  push("b");
  assert.equal(callers(3), "aba");
});

test("those that leave without their turn are not missed", () => {
  const { lanes, clock, push } = createLanes();
  const nodes = ["a", "a", "b", "a", "c"].map((caller) => push(caller, { priority: -1 }));
  lanes.remove(nodes[1]!);
  lanes.remove(nodes[1]!);
  lanes.remove(nodes[2]!);
  assert.equal(lanes.size, 3);
  clock.now = AGEING_MS;
  assert.deepEqual(
    [...lanes.order()].map(({ name }) => name),
    ["a1", "c5", "a4"],
  );
  lanes.remove(nodes[0]!);
  assert.deepEqual(drain(lanes), ["c5", "a4"]);
  lanes.remove(nodes[0]!);
  assert.equal(lanes.size, 0);
});

test("a caller whose entries may not start keeps its turn, and does not get missed turns back", () => {
  const { lanes, clock, push, callers } = createLanes();
  for (let n = 0; n < 20; n++) for (const caller of ["a", "b"]) push(caller, { priority: -1 });
  const notA = (caller: string) => caller !== "a";
  for (let n = 0; n < 8; n++) assert.equal(lanes.shift(notA)?.caller, "b");
  assert.equal(callers(12), "aabaabbaabba");
  // Of all in a higher class, only those that may not start.
  push("a");
  assert.equal(lanes.shift(notA)?.caller, "b");
  assert.equal(callers(1), "a");
  // One that has aged may not start either.
  clock.now += AGEING_MS;
  assert.equal(lanes.shift(notA)?.caller, "b");
  assert.equal(
    lanes.shift(() => false),
    null,
  );
  assert.equal(lanes.size, 18);
  assert.equal(drain(lanes).length, 18);
});

test("a debt is kept while only callers who may not start come before it", () => {
  const { lanes, push, callers } = createLanes();
  push("a");
  push("b", { tokens: 1000 });
  const notA = (caller: string) => caller !== "a";
  assert.equal(lanes.shift(notA)?.caller, "b");
  assert.equal(lanes.shift(notA), null);
  for (let n = 0; n < 3; n++) push("a");
  push("b");
  assert.equal(callers(5), "aaaab");
});

test("the order that is foretold is the order that comes, for one that would come now too", () => {
  const random = mulberry32(7);
  const pick = (most: number) => Math.floor(random() * most);
  for (let round = 0; round < 300; round++) {
    const { lanes, clock, push } = createLanes();
    const nodes = [];
    for (let n = 0; n < 60; n++) {
      const what = pick(10);
      if (what < 1) lanes.shift();
      else if (what < 2) lanes.shift((caller) => caller !== "abcde"[pick(5)]);
      else if (what < 3 && nodes.length > 0) lanes.remove(nodes[pick(nodes.length)]!);
      else nodes.push(push("abcde"[pick(5)]!, { priority: pick(3) - 1, tokens: 1 + pick(400) }));
      clock.now += pick(AGEING_MS / 5);
    }
    const foretold = [...lanes.order()].map(({ name }) => name);
    const candidate = { caller: "abcdef"[pick(6)]!, priority: pick(3) - 1, tokens: 1 + pick(400) };
    const withExtra = [...lanes.order(candidate)].map((entry) => entry?.name ?? "extra");
    lanes.push({ name: "extra", ...candidate });
    const came = drain(lanes);
    assert.deepEqual(withExtra, came);
    assert.deepEqual(foretold.toSorted(), came.filter((name) => name !== "extra").toSorted());
  }
});

test("how many go before is told about right without counting them", () => {
  const random = mulberry32(3);
  for (let round = 0; round < 100; round++) {
    const { lanes, push } = createLanes();
    for (let n = 0; n < 1000; n++)
      push("aaabbc"[Math.floor(random() * 6)]!, {
        priority: random() < 0.1 ? 1 : 0,
        tokens: 200 + random() * 200,
      });
    for (let n = Math.floor(random() * 300); n > 0; n--) lanes.shift();
    for (const caller of ["a", "b", "c", "d"]) {
      const candidate = { caller, priority: 0, tokens: 300 };
      const exact = [...lanes.order(candidate)].indexOf(null);
      const about = lanes.ahead(candidate, true);
      assert.ok(Math.abs(about - exact) <= 3 + 0.1 * exact, `${caller}: expected ${exact}, got ${about}`);
    }
  }
});
