import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KvCache } from "./cache/kv-cache.js";
import { Engine } from "./engine.js";
import { ask, context, count, type Finished, generate, idsOf, shape, vocab } from "./fixtures/asking.js";
import { CountingSession } from "./fixtures/sessions.js";
import type { StepSession } from "./step-session.js";

describe("an engine's reuse of prefixes", () => {
  const engineOf = (slots: number) => {
    const session = new CountingSession();
    return { session, engine: new Engine(session, new KvCache(shape, slots), vocab) };
  };
  /** Runs a prompt to its end and says how many of its ids were prefilled. */
  async function prefilled({ session, engine }: ReturnType<typeof engineOf>, promptIds: number[]) {
    session.prefilled = 0;
    const { cachedTokens } = await generate(engine, { promptIds, maxTokens: 3 });
    assert.equal(session.prefilled + cachedTokens!, promptIds.length);
    return session.prefilled;
  }

  it("computes of a prompt whose beginning was just served only the chunks that are new", async () => {
    const one = engineOf(2);
    assert.equal(await prefilled(one, count(1, 100)), 100);
    assert.equal(await prefilled(one, count(1, 150)), 150 - 96);
    assert.equal(await prefilled(one, count(1, 150)), 150 - 144);
    assert.equal(await prefilled(one, count(2, 150)), 150);
  });

  it("computes the last chunk of a prompt even where the cache has all of it", async () => {
    const one = engineOf(2);
    await prefilled(one, count(1, 64));
    assert.equal(await prefilled(one, count(1, 64)), 16);
  });

  it("does not take rows of generated tokens for those of a prompt", async () => {
    const one = engineOf(1);
    await generate(one.engine, { promptIds: count(1, 40), maxTokens: 60 });
    assert.equal(await prefilled(one, count(1, 100)), 100 - 32);
  });

  it("does not reuse rows of a window that slid", async () => {
    const one = engineOf(1);
    await generate(one.engine, { promptIds: count(1, context - 4), maxTokens: 30 });
    assert.equal(await prefilled(one, count(1, 100)), 100);
    assert.equal(await prefilled(one, count(17, 100)), 100);
  });

  it("copies the beginning from a sequence that runs, which goes on unharmed", async () => {
    const { session, engine } = engineOf(3);
    const running = ask(engine, { promptIds: count(1, 100), maxTokens: 40 });
    while (!running.sequence.started) await engine.step();
    const joining = ask(engine, { promptIds: count(1, 90), maxTokens: 30 });
    session.prefilled = 0;
    await engine.run();
    assert.equal(session.prefilled, 90 - 80);
    assert.deepEqual(idsOf(((await running.outcome) as Finished).generated), count(101, 40));
    assert.deepEqual(idsOf(((await joining.outcome) as Finished).generated), count(91, 30));
  });

  it("computes the common beginning of prompts that come together once", async () => {
    const { session, engine } = engineOf(8);
    const asked = Array.from({ length: 8 }, (_, i) =>
      ask(engine, { promptIds: count(1, 100 + i), maxTokens: 2 }),
    );
    await engine.run();
    assert.equal(session.prefilled, 96 + 4 + 5 + 6 + 7 + 8 + 9 + 10 + 11);
    const steps = session.steps.filter(({ chunk }) => chunk > 1).length;
    assert.ok(steps <= 7, `${steps} prefills`);
    for (const [i, { outcome }] of asked.entries())
      assert.deepEqual(idsOf(((await outcome) as Finished).generated), count(101 + i, 2));
  });

  it("goes on without the sequence whose rows others waited for, when that is cancelled", async () => {
    const { session, engine } = engineOf(4);
    const first = ask(engine, { promptIds: count(1, 150), maxTokens: 2 });
    const others = [120, 130].map((length) => ask(engine, { promptIds: count(1, length), maxTokens: 2 }));
    await engine.step();
    await engine.step();
    first.sequence.cancelled = true;
    await engine.run();
    assert.equal((await first.outcome).type, "cancelled");
    for (const [i, { outcome }] of others.entries())
      assert.deepEqual(idsOf(((await outcome) as Finished).generated), count(121 + 10 * i, 2));
    assert.equal(session.prefilled, 130 + (120 - 112));
  });

  it("keeps what a cancelled prompt computed", async () => {
    const one = engineOf(1);
    const { sequence } = ask(one.engine, { promptIds: count(1, 150), maxTokens: 2 });
    await one.engine.step();
    await one.engine.step();
    sequence.cancelled = true;
    await one.engine.run();
    assert.equal(await prefilled(one, count(1, 150)), 150 - 48);
  });

  it("overwrites the prefix that was not used for the longest time", async () => {
    const one = engineOf(3);
    for (const from of [1, 2, 3]) await prefilled(one, count(from, 50));
    assert.equal(await prefilled(one, count(1, 51)), 51 - 48);
    await prefilled(one, count(4, 50));
    assert.equal(await prefilled(one, count(3, 51)), 51 - 48);
    assert.equal(await prefilled(one, count(1, 51)), 51 - 48);
    assert.equal(await prefilled(one, count(2, 51)), 51);
  });

  it("keeps a long prefix while a prompt that shares only its beginning is served", async () => {
    const one = engineOf(2);
    const branch = [...count(1, 64), 200];
    await prefilled(one, count(1, 140));
    one.session.run = unchecked(one.session);
    await generate(one.engine, { promptIds: branch, maxTokens: 1 });
    assert.equal(await prefilled(one, count(1, 141)), 141 - 128);
  });
});

/** The fake without its check of the rows, for texts that are not of consecutive numbers. */
function unchecked(session: CountingSession): StepSession["run"] {
  const run = CountingSession.prototype.run.bind(session);
  return (inputs) => run({ ...inputs, past: [] });
}
