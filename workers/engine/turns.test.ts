import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KvCache } from "./cache/kv-cache.js";
import { Engine } from "./engine.js";
import { ask, context, count, shape, vocab } from "./fixtures/asking.js";
import { CountingSession } from "./fixtures/sessions.js";
import type { Sequence } from "./sequence.js";

describe("an engine's turns", () => {
  it("takes turns between prompts and running sequences", async () => {
    const session = new CountingSession();
    const engine = new Engine(session, new KvCache(shape, 8), vocab);
    ask(engine, { promptIds: [1], maxTokens: 30 });
    await engine.step();
    for (let i = 0; i < 5; i++) ask(engine, { promptIds: count(i + 2, context), maxTokens: 1 });
    session.steps.length = 0;
    for (let i = 0; i < 6; i++) await engine.step();
    assert.deepEqual(
      session.steps.map(({ chunk }) => (chunk === 1 ? "decode" : "prefill")),
      ["prefill", "decode", "prefill", "decode", "prefill", "decode"],
    );
  });

  /** Steps until a sequence has a token, or until there were too many of them. */
  async function stepsToFirstToken(engine: Engine, sequence: Sequence): Promise<number> {
    let steps = 0;
    while (!sequence.started && steps < 1000) {
      await engine.step();
      steps++;
    }
    return steps;
  }

  it("lets a new prompt in beside sequences that fill their window anew at every token", async () => {
    const engine = new Engine(new CountingSession(), new KvCache(shape, 12), vocab);
    const sliding = Array.from({ length: 8 }, (_, i) =>
      ask(engine, { promptIds: count(i, context), maxTokens: 500, contextStride: 1 }),
    );
    while (!sliding.every(({ sequence }) => sequence.started)) await engine.step();
    for (const length of [1, 20, 60, 100]) {
      const { sequence } = ask(engine, { promptIds: count(100 - length, length), maxTokens: 3 });
      const steps = await stepsToFirstToken(engine, sequence);
      assert.ok(steps <= 3 * Math.ceil(length / 16) + 1, `${steps} steps to the first token of ${length}`);
    }
  });

  it("lets sequences that fill their window anew go on beside a stream of new prompts", async () => {
    const engine = new Engine(new CountingSession(), new KvCache(shape, 12), vocab);
    const { sequence } = ask(engine, { promptIds: count(1, context), maxTokens: 500, contextStride: 1 });
    await stepsToFirstToken(engine, sequence);
    const before = sequence.ids.length;
    for (let step = 0; step < 180; step++) {
      if (engine.size < 12) ask(engine, { promptIds: count(2 + (step % 100), 100), maxTokens: 1 });
      await engine.step();
    }
    // A window is nine chunks, and it has every other prefill.
    assert.ok(sequence.ids.length - before >= 8, `${sequence.ids.length - before} tokens in 180 steps`);
  });

  it("prefills new prompts in the order in which they came", async () => {
    const engine = new Engine(new CountingSession(), new KvCache(shape, 12), vocab);
    const finished: number[] = [];
    const ends = [70, 3, 90, 40, 90, 12].map((length, i) =>
      ask(engine, { promptIds: count(i, length), maxTokens: 1 }).outcome.then(() => finished.push(i)),
    );
    await engine.run();
    await Promise.all(ends);
    assert.ok(finished.indexOf(0) < finished.indexOf(2) && finished.indexOf(2) < finished.indexOf(4));
    assert.ok(finished.indexOf(1) < finished.indexOf(5));
  });
});
