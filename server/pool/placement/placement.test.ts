import assert from "node:assert/strict";
import { test } from "node:test";
import { type Placed, Placement, type Work } from "./placement.js";

const A = 11;
const B = 12;

function createPlacement({ slots = 8, workers = [A, B] } = {}): Placement {
  const placement = new Placement({ slots, context: 256 });
  for (const [rank, worker] of workers.entries()) placement.join(worker, rank);
  return placement;
}

let next = 0;
/** A prompt that begins like no other. */
const prompt = (length: number) => Array.from({ length }, () => next++);
const work = (given: Partial<Work> = {}): Work => ({
  promptIds: prompt(40),
  maxTokens: 100,
  promptLogprobs: false,
  ...given,
});

/** Places a sequence and says that its prompt has been read. */
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

test("sequences spread evenly, the first worker first, and never beyond the slots", () => {
  const placement = createPlacement({ slots: 2 });
  assert.equal(placement.capacity, 4);
  assert.deepEqual(
    [decode(placement), decode(placement), decode(placement), decode(placement)].map(({ worker }) => worker),
    [A, B, A, B],
  );
  assert.equal(place(placement), undefined);
});

test("one at a time all go to the same worker, whose caches are warm", () => {
  const placement = createPlacement();
  for (let n = 0; n < 5; n++) {
    const placed = decode(placement);
    assert.equal(placed.worker, A);
    placement.end(placed);
  }
});

test("of equals the first takes it, though others were ready before it", () => {
  const placement = createPlacement({ workers: [] });
  placement.join(B, 1);
  placement.join(A, 0);
  assert.equal(place(placement), A);
});

test("a prompt that has not been read is in a newcomer's way", () => {
  const placement = createPlacement();
  const long = placement.place(work({ promptIds: prompt(200), maxTokens: 1 }))!;
  decode(placement, { maxTokens: 30 });
  assert.equal(long.worker, A);
  // The other worker has a sequence as well, but a shorter wait.
  assert.equal(place(placement, { maxTokens: 30 }), B);
  placement.read(long);
  assert.equal(place(placement, { maxTokens: 30 }), A);
});

test("what is left to write counts, not what has been written", () => {
  const placement = createPlacement();
  const [first, second] = [decode(placement), decode(placement)];
  placement.wrote(first, 10);
  placement.wrote(second, 60);
  assert.equal(place(placement), B);
});

test("a sequence that may write little is less in the way than one that may write much", () => {
  const placement = createPlacement();
  decode(placement, { maxTokens: 200 });
  decode(placement, { maxTokens: 20 });
  assert.equal(place(placement), B);
});

test("a prompt that comes again goes where its beginning is cached, idle or equally busy", () => {
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

test("a prompt goes elsewhere when the worker that has it cached is so much busier that it is answered sooner there", () => {
  const promptIds = prompt(64);
  const busy = createPlacement({ workers: [A] });
  decode(busy, { promptIds, maxTokens: 200 });
  for (let n = 0; n < 4; n++) decode(busy, { maxTokens: 200 });
  busy.join(B, 1);
  assert.equal(place(busy, { promptIds, maxTokens: 200 }), B);
});

test("a prompt whose every token is scored gains nothing by a cache", () => {
  const placement = createPlacement();
  const promptIds = prompt(120);
  decode(placement);
  const placed = placement.place(work({ promptIds, promptLogprobs: true }))!;
  assert.equal(placed.worker, B);
  assert.equal(placed.unread, 120);
  placement.end(placed);
  assert.equal(placement.place(work({ promptIds, promptLogprobs: true }))!.unread, 120);
});

test("several texts of one prompt take the idle workers, and read it once where all are busy", () => {
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

test("of a prompt longer than the context its end counts", () => {
  const placement = createPlacement();
  const promptIds = prompt(1000);
  const placed = placement.place(work({ promptIds }))!;
  assert.equal(placed.unread, 256);
  placement.end(placed);
  assert.equal(placement.place(work({ promptIds }))!.unread, 256 - 240);
  assert.equal(placement.place(work({ promptIds: promptIds.slice(0, 900) }))!.unread, 256);
});

test("a worker that is gone has no sequences, and what it had cached is forgotten", () => {
  const placement = createPlacement({ slots: 1 });
  const promptIds = prompt(100);
  const lost = placement.place(work({ promptIds }))!;
  const kept = placement.place(work())!;
  assert.equal(placement.keep(new Set([A, B])), false);
  assert.equal(placement.keep(new Set([B])), true);
  assert.equal(placement.capacity, 1);
  assert.equal(place(placement), undefined);
  // Its tasks end after it, which frees nobody else's slot.
  placement.wrote(lost, 1);
  placement.end(lost);
  assert.equal(place(placement), undefined);
  placement.join(A, 0);
  const placed = placement.place(work({ promptIds }))!;
  assert.deepEqual([placed.worker, placed.unread], [A, 100]);
  placement.end(kept);
  assert.equal(place(placement), B);
});

test("a sequence that ends twice frees one slot", () => {
  const placement = createPlacement({ slots: 1, workers: [A] });
  const placed = placement.place(work())!;
  placement.end(placed);
  placement.place(work());
  placement.end(placed);
  assert.equal(place(placement), undefined);
});

test("requests that come and go leave nothing behind", () => {
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
