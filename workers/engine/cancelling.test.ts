import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KvCache } from "./cache/kv-cache.js";
import { Engine } from "./engine.js";
import { ask, context, count, type Finished, idsOf, shape, vocab } from "./fixtures/asking.js";
import { CountingSession } from "./fixtures/sessions.js";

describe("an engine whose sequences are cancelled", () => {
  it("keeps each sequence's cache its own while sequences join, end and are cancelled", async () => {
    const session = new CountingSession();
    const engine = new Engine(session, new KvCache(shape, 6), vocab);
    const asked = [];
    for (let i = 0; i < 40; i++) {
      const promptIds = count(i, 1 + ((i * 13) % 30));
      asked.push(ask(engine, { promptIds, maxTokens: 1 + ((i * 7) % 20) }));
      await engine.step();
      if (i % 5 === 4) asked[i - 2]!.sequence.cancelled = true;
    }
    await engine.run();
    const ends = await Promise.all(asked.map(({ outcome }) => outcome));
    assert.ok(ends.some(({ type }) => type === "cancelled"));
    for (const [i, end] of ends.entries()) {
      if (end.type === "cancelled") continue;
      assert.equal(end.type, "finished");
      const start = i + 1 + ((i * 13) % 30);
      assert.deepEqual(idsOf((end as Finished).generated), count(start, 1 + ((i * 7) % 20)));
    }
    assert.equal(engine.size, 0);
  });

  it("frees the slot of a cancelled sequence at the next step, in prefill as in decode", async () => {
    const engine = new Engine(new CountingSession(), new KvCache(shape, 2), vocab);
    const decoding = ask(engine, { promptIds: [1], maxTokens: 50 });
    const prefilling = ask(engine, { promptIds: count(1, context), maxTokens: 50 });
    const waiting = ask(engine, { promptIds: [5], maxTokens: 2 });
    for (const _ of ["prefill", "decode"]) await engine.step();
    assert.equal(engine.size, 3);
    decoding.sequence.cancelled = true;
    prefilling.sequence.cancelled = true;
    await engine.step();
    assert.deepEqual(await decoding.outcome, { type: "cancelled", promptTokens: 1, completionTokens: 1 });
    assert.deepEqual(await prefilling.outcome, { type: "cancelled", promptTokens: 32, completionTokens: 0 });
    assert.equal(engine.size, 1);
    await engine.run();
    assert.equal((await waiting.outcome).type, "finished");
  });

  it("does not run a sequence that was cancelled before it got a slot", async () => {
    const session = new CountingSession();
    const engine = new Engine(session, new KvCache(shape, 1), vocab);
    const { sequence, outcome } = ask(engine, { promptIds: [1] });
    sequence.cancelled = true;
    await engine.run();
    assert.equal((await outcome).type, "cancelled");
    assert.equal(session.steps.length, 0);
  });

  it("reports the prompt's tokens that were computed, and not those that came from the cache", async () => {
    const cache = new KvCache(shape, 2);
    const engine = new Engine(new CountingSession(), cache, vocab);
    const prompt = count(1, context);
    const first = ask(engine, { promptIds: prompt, maxTokens: 1 });
    await engine.step();
    const computed = cache.lengths[first.sequence.slot]!;
    assert.ok(computed > 0 && computed < context, `${computed} rows`);
    first.sequence.cancelled = true;
    await engine.step();
    assert.deepEqual(await first.outcome, {
      type: "cancelled",
      promptTokens: computed,
      completionTokens: 0,
    });
    const second = ask(engine, { promptIds: prompt, maxTokens: 1 });
    await engine.step();
    const { cachedTokens } = second.sequence;
    assert.equal(cachedTokens, computed);
    const rows = cache.lengths[second.sequence.slot]!;
    second.sequence.cancelled = true;
    await engine.step();
    const outcome = await second.outcome;
    assert.ok(outcome.type === "cancelled" && outcome.promptTokens === rows - cachedTokens);
  });
});
