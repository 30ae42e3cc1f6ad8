import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Outbox } from "./outbox.js";
import type { Delta } from "./protocol.js";

/** An outbox of open streams, whose clock the test sets. */
function createOutbox(...streams: string[]) {
  const posted: Delta[][] = [];
  const clock = { now: 0 };
  const outbox = new Outbox({ post: (deltas) => posted.push(deltas), now: () => clock.now });
  for (const id of streams) outbox.open(id);
  /** One step of the engine: each stream's text, and then the microtasks. */
  const step = async (now: number, texts: Record<string, string>) => {
    clock.now = now;
    for (const [id, text] of Object.entries(texts)) outbox.add(id, text, 1);
    await Promise.resolve();
    return posted.splice(0);
  };
  return { outbox, step };
}

describe("the outbox", () => {
  it("posts a step's texts as one", async () => {
    const { step } = createOutbox("a", "b");
    assert.deepEqual(await step(0, { a: "x", b: "y" }), [
      [
        ["a", "x", 1],
        ["b", "y", 1],
      ],
    ]);
  });

  it("gathers texts until it is time for the next post, longer the more streams there are", async () => {
    for (const [streams, interval] of [
      [1, 31],
      [8, 38],
      [1000, 100],
    ] as const) {
      const { outbox, step } = createOutbox("a");
      for (let n = 1; n < streams; n++) outbox.open(`other ${n}`);
      assert.equal((await step(0, { a: "x" })).length, 1);
      assert.deepEqual(await step(5, { a: "y" }), []);
      assert.deepEqual(await step(interval - 0.01, { a: "z" }), []);
      assert.deepEqual(await step(interval, { a: "!" }), [[["a", "yz!", 3]]]);
      assert.deepEqual(await step(interval + 1, { a: "?" }), []);
    }
  });

  it("posts a stream's first text at once, and leaves the others' for their time", async () => {
    const { outbox, step } = createOutbox("a");
    await step(0, { a: "x" });
    outbox.open("b");
    assert.deepEqual(await step(1, { a: "y", b: "first" }), [[["b", "first", 1]]]);
    assert.deepEqual(await step(32, { a: "z", b: "second" }), [
      [
        ["a", "yz", 2],
        ["b", "second", 1],
      ],
    ]);
  });

  it("gathers the log-probabilities of the streams that ask for them", async () => {
    const { outbox, step } = createOutbox("a", "b");
    const scored = (id: number) => ({ id, logprob: -1, top: [] });
    await step(0, { a: "x", b: "x" });
    outbox.add("a", "y", 2, [scored(1), scored(2)]);
    outbox.add("a", "z", 1, [scored(3)]);
    assert.deepEqual(await step(50, { b: "y" }), [
      [
        ["a", "yz", 3, [scored(1), scored(2), scored(3)]],
        ["b", "y", 1],
      ],
    ]);
  });

  it("forgets what a stream that is closed was not told", async () => {
    const { outbox, step } = createOutbox("a", "b");
    await step(0, { a: "x", b: "x" });
    await step(1, { a: "y", b: "y" });
    outbox.close("a");
    assert.deepEqual(await step(50, { b: "z" }), [[["b", "yz", 2]]]);
    outbox.add("b", "w", 1);
    outbox.close("b");
    assert.deepEqual(await step(100, {}), []);
  });
});
