import assert from "node:assert/strict";
import { test } from "node:test";
import { type Placed, Placement, type Work } from "./placement.js";

const A = 11;
const B = 12;

function createPlacement({ slots = 8, keptPrefixes = 0, workers = [A, B] } = {}): Placement {
  const placement = new Placement({ slots, keptPrefixes, context: 256 });
  for (const [rank, worker] of workers.entries()) placement.join(worker, rank);
  return placement;
}

let next = 0;
/** A prompt that shares its beginning with no other. */
const prompt = (length: number) => Array.from({ length }, () => next++);
const work = (given: Partial<Work> = {}): Work => ({
  promptIds: prompt(40),
  maxTokens: 100,
  promptLogprobs: false,
  ...given,
});

/** Places a sequence whose prompt is already read. */
function decode(placement: Placement, given: Partial<Work> = {}): Placed {
  const placed = placement.place(work(given))!;
  placement.read(placed);
  return placed;
}

const place = (placement: Placement, given: Partial<Work> = {}) => placement.place(work(given))?.worker;

test("without workers there is no place", () => {
  const placement = createPlacement({ workers: [] });
  assert.equal(place(placement), undefined);
  assert.equal(placement.capacity, 0);
});

test("sequences are spread evenly, first worker first, within the slots", () => {
  const placement = createPlacement({ slots: 2 });
  assert.equal(placement.capacity, 4);
  assert.deepEqual(
    [decode(placement), decode(placement), decode(placement), decode(placement)].map(({ worker }) => worker),
    [A, B, A, B],
  );
  assert.equal(place(placement), undefined);
});

test("sequences one at a time all go to the same worker, whose caches are warm", () => {
  const placement = createPlacement();
  for (let n = 0; n < 5; n++) {
    const placed = decode(placement);
    assert.equal(placed.worker, A);
    placement.end(placed);
  }
});

test("among equals the first worker is chosen, even if others were ready before it", () => {
  const placement = createPlacement({ workers: [] });
  placement.join(B, 1);
  placement.join(A, 0);
  assert.equal(place(placement), A);
});

test("an unread prompt counts as waiting time for a new sequence", () => {
  const placement = createPlacement();
  const long = placement.place(work({ promptIds: prompt(200), maxTokens: 1 }))!;
  decode(placement, { maxTokens: 30 });
  assert.equal(long.worker, A);
  // Both workers have a sequence, but B's prompt is read, so the wait there is shorter.
  assert.equal(place(placement, { maxTokens: 30 }), B);
  placement.read(long);
  assert.equal(place(placement, { maxTokens: 30 }), A);
});

test("the tokens left to write count, not the written ones", () => {
  const placement = createPlacement();
  const [first, second] = [decode(placement), decode(placement)];
  placement.wrote(first, 10);
  placement.wrote(second, 60);
  assert.equal(place(placement), B);
});

test("a sequence with few tokens left weighs less than one with many", () => {
  const placement = createPlacement();
  decode(placement, { maxTokens: 200 });
  decode(placement, { maxTokens: 20 });
  assert.equal(place(placement), B);
});

test("a repeated prompt goes to the worker that cached it, among idle or equally busy ones", () => {
  const placement = createPlacement();
  const promptIds = prompt(120);
  const others = [decode(placement)];
  const placed = placement.place(work({ promptIds }))!;
  assert.equal(placed.worker, B);
  placement.end(placed);
  for (const other of others) placement.end(other);
  const again = placement.place(work({ promptIds: [...promptIds, ...prompt(10)] }))!;
  assert.equal(again.worker, B);
  assert.equal(again.unread, 130 - 112);
  placement.end(again);
  for (let n = 0; n < 8; n++) decode(placement);
  assert.equal(place(placement, { promptIds }), B);
});

test("a prompt goes to the worker that keeps its beginning, as many as one keeps beside its slots", () => {
  for (const [keptPrefixes, expected] of [
    [3, B],
    [0, A],
  ] as const) {
    const placement = createPlacement({ slots: 2, keptPrefixes });
    const busy = decode(placement);
    const again = prompt(200);
    const others = [again, ...Array.from({ length: 3 }, () => prompt(200))];
    for (const promptIds of others) {
      const placed = decode(placement, { promptIds });
      assert.equal(placed.worker, B);
      placement.end(placed);
    }
    placement.end(busy);
    assert.equal(place(placement, { promptIds: again }), expected);
  }
});

test("what one caller has sent decides nothing for another", () => {
  const promptIds = prompt(64);
  const placement = createPlacement();
  const busy = decode(placement);
  placement.end(decode(placement, { promptIds, caller: "a" }));
  placement.end(busy);
  assert.equal(place(placement, { promptIds, caller: "a" }), B);
  assert.equal(place(placement, { promptIds, caller: "b" }), A);
});

test("a prompt goes to another worker if the one that cached it is much busier", () => {
  const promptIds = prompt(64);
  const busy = createPlacement({ workers: [A] });
  decode(busy, { promptIds, maxTokens: 200 });
  for (let n = 0; n < 4; n++) decode(busy, { maxTokens: 200 });
  busy.join(B, 1);
  assert.equal(place(busy, { promptIds, maxTokens: 200 }), B);
});

test("a cache doesn't help a prompt with log-probabilities of its tokens", () => {
  const placement = createPlacement();
  const promptIds = prompt(120);
  decode(placement);
  const placed = placement.place(work({ promptIds, promptLogprobs: true }))!;
  assert.equal(placed.worker, B);
  assert.equal(placed.unread, 120);
  placement.end(placed);
  assert.equal(placement.place(work({ promptIds, promptLogprobs: true }))!.unread, 120);
});

test("several texts of one prompt spread over idle workers, but share a worker if all are busy", () => {
  const idle = createPlacement();
  const promptIds = prompt(150);
  const several = (placement: Placement) =>
    [0, 0].map(() => placement.place(work({ promptIds, maxTokens: 50 }))!.worker);
  assert.deepEqual(several(idle), [A, B]);
  const busy = createPlacement({ slots: 16 });
  for (let n = 0; n < 16; n++) decode(busy, { maxTokens: 50 });
  const [first, second] = several(busy);
  assert.equal(first, second);
});

test("only the end of a prompt beyond the context counts", () => {
  const placement = createPlacement();
  const promptIds = prompt(1000);
  const placed = placement.place(work({ promptIds }))!;
  assert.equal(placed.unread, 256);
  placement.end(placed);
  assert.equal(placement.place(work({ promptIds }))!.unread, 256 - 240);
  assert.equal(placement.place(work({ promptIds: promptIds.slice(0, 900) }))!.unread, 256);
});

test("a dead worker's sequences and cached prompts are forgotten", () => {
  const placement = createPlacement({ slots: 1 });
  const promptIds = prompt(100);
  const lost = placement.place(work({ promptIds }))!;
  const kept = placement.place(work())!;
  assert.equal(placement.keep(new Set([A, B])), false);
  assert.equal(placement.keep(new Set([B])), true);
  assert.equal(placement.capacity, 1);
  assert.equal(place(placement), undefined);
  // Its tasks end after its death, which must not free another worker's slot.
  placement.wrote(lost, 1);
  placement.end(lost);
  assert.equal(place(placement), undefined);
  placement.join(A, 0);
  const placed = placement.place(work({ promptIds }))!;
  assert.deepEqual([placed.worker, placed.unread], [A, 100]);
  placement.end(kept);
  assert.equal(place(placement), B);
});

test("a sequence that ends twice frees only one slot", () => {
  const placement = createPlacement({ slots: 1, workers: [A] });
  const placed = placement.place(work())!;
  placement.end(placed);
  placement.place(work());
  placement.end(placed);
  assert.equal(place(placement), undefined);
});

test("after many requests all slots are free again", () => {
  const placement = createPlacement({ slots: 4 });
  const under: Placed[] = [];
  for (let n = 0; n < 500; n++) {
    const placed = placement.place(
      work({ promptIds: prompt(1 + ((n * 37) % 200)), maxTokens: 1 + ((n * 13) % 90) }),
    );
    if (placed) under.push(placed);
    if (n % 3 !== 0 || placed === null) placement.end(under.splice((n * 7) % under.length, 1)[0]!);
    for (const worker of [A, B]) assert.ok(under.filter((one) => one.worker === worker).length <= 4);
  }
  for (const placed of under) placement.end(placed);
  for (let n = 0; n < 8; n++) assert.notEqual(place(placement), undefined);
});
