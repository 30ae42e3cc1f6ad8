import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { randomCases } from "../../ops/random-cases.js";
import { KvCache } from "./cache/kv-cache.js";
import { Engine } from "./engine.js";
import { ask, context, count, type Finished, generate, idsOf, shape, vocab } from "./fixtures/asking.js";
import { Int8CountingSession, int8Shape } from "./fixtures/int8-session.js";
import { CountingSession } from "./fixtures/sessions.js";
import type { Outcome } from "./outcome.js";
import { uniform } from "./sampling/philox.js";
import type { Sequence } from "./sequence.js";
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

describe("an int8 engine's reuse of prefixes", () => {
  const engineOf = (slots: number, most = slots) => {
    const session = new Int8CountingSession();
    return { session, engine: new Engine(session, new KvCache(int8Shape, slots), vocab, { most }) };
  };
  /** Runs a text of consecutive numbers to its end. Returns how many of the prompt's rows came from the cache. */
  async function cachedOf({ engine }: ReturnType<typeof engineOf>, from: number, length: number, most = 3) {
    const { sequence, outcome } = ask(engine, { promptIds: count(from, length), maxTokens: most });
    await engine.run();
    const cachedTokens = await assertWrote(outcome, from + length, most);
    assert.equal(sequence.computedTokens + cachedTokens, length);
    return cachedTokens;
  }
  const textOf = (from: number, length: number) => count(from, length).map((id) => id % vocab);
  async function assertWrote(outcome: Promise<Outcome>, from: number, length: number): Promise<number> {
    const end = await outcome;
    if (end.type !== "finished") assert.fail(JSON.stringify(end));
    assert.deepEqual(idsOf(end.generated), textOf(from, length));
    return end.cachedTokens;
  }
  /** Steps until a sequence has so many tokens. */
  async function stepTo({ ids }: Sequence, length: number, engine: Engine): Promise<void> {
    while (ids.length < length) {
      assert.ok(!engine.idle, `it ended after ${ids.length} tokens`);
      await engine.step();
    }
  }

  it("picks a prompt up at any token", async () => {
    const one = engineOf(2);
    assert.equal(await cachedOf(one, 1, 100), 0);
    for (const length of [99, 53, 48, 33, 32, 17, 10]) {
      const again = engineOf(2);
      await cachedOf(again, 1, 100);
      assert.equal(await cachedOf(again, 1, length), length - 1);
    }
    // Of the first text, two generated tokens have rows too.
    assert.equal(await cachedOf(one, 1, 140), 102);
  });

  it("gives no caller rows of another's texts, kept or computed at the moment", async () => {
    const { engine } = engineOf(6);
    const asked = ["a", "b", "a", "b"].map((caller) =>
      ask(engine, { promptIds: count(1, 60), maxTokens: 2, caller }),
    );
    await engine.run();
    for (const { outcome } of asked) await assertWrote(outcome, 61, 2);
    assert.deepEqual(
      asked.map(({ sequence }) => sequence.computedTokens),
      [60, 60, 1, 1],
    );
    for (const [caller, cached] of [
      ["a", 59],
      ["c", 0],
      ["b", 59],
      ["c", 59],
    ] as const) {
      const { cachedTokens } = await generate(engine, { promptIds: count(1, 60), maxTokens: 2, caller });
      assert.equal(cachedTokens, cached, caller);
    }
  });

  it("copies no fewer rows than eight", async () => {
    for (const [length, cached] of [
      [9, 8],
      [8, 0],
    ] as const) {
      const one = engineOf(2);
      await cachedOf(one, 1, 50);
      assert.equal(await cachedOf(one, 1, length), cached);
    }
  });

  it("picks up the next turn of a chat behind all that was said before", async () => {
    const one = engineOf(1);
    let said = 0;
    for (const turn of [20, 37, 62, 90]) {
      assert.equal(await cachedOf(one, 1, turn, 12), said);
      // The last token that was said has no row yet.
      said = turn + 12 - 1;
    }
  });

  it("keeps prefixes beyond the slots of sequences that run", async () => {
    const one = engineOf(5, 1);
    const starts = [1, 41, 81, 121, 161];
    const asked = starts.map((from) => ask(one.engine, { promptIds: count(from, 30), maxTokens: 3 }));
    await one.engine.run();
    for (const [i, { outcome }] of asked.entries()) await assertWrote(outcome, starts[i]! + 30, 3);
    assert.ok(
      one.session.steps.every(({ batch }) => batch === 1),
      "one runs at a time",
    );
    for (const from of starts) assert.equal(await cachedOf(one, from, 30), 29);
    // A sixth takes the place of the one that was unused for the longest time.
    assert.equal(await cachedOf(one, 201, 30), 0);
    for (const from of starts.slice(1)) assert.equal(await cachedOf(one, from, 30), 29);
    assert.equal(await cachedOf(one, 1, 30), 0);
  });

  it("picks up what a cancelled prompt computed, to the token", async () => {
    const one = engineOf(3);
    const running = ask(one.engine, { promptIds: count(200, 5), maxTokens: 120 });
    await stepTo(running.sequence, 6, one.engine);
    const { sequence, outcome } = ask(one.engine, { promptIds: count(1, 150), maxTokens: 100 });
    // How much of it is read by then depends on how long the runs took.
    for (let step = 0; step < 3; step++) await one.engine.step();
    sequence.cancelled = true;
    await one.engine.step();
    assert.equal((await outcome).type, "cancelled");
    assert.ok(sequence.computedTokens >= 8);
    assert.equal(await cachedOf(one, 1, 150), Math.min(sequence.computedTokens, 149));
    await assertWrote(running.outcome, 205, 120);
  });

  it("picks up what a text had read and written when it was cancelled", async () => {
    const one = engineOf(1);
    const { sequence, outcome } = ask(one.engine, { promptIds: count(1, 40), maxTokens: 100 });
    await stepTo(sequence, 61, one.engine);
    sequence.cancelled = true;
    await one.engine.run();
    assert.equal((await outcome).type, "cancelled");
    assert.equal(await cachedOf(one, 1, 90), 60);
  });

  it("picks up the window of a text that slid, and not what left it", async () => {
    for (const [shift, expected] of [
      [0, 99],
      [-16, 0],
      [1, 0],
    ] as const) {
      const one = engineOf(1);
      const slid = ask(one.engine, { promptIds: count(1, context - 4), maxTokens: 30 });
      await one.engine.run();
      await assertWrote(slid.outcome, context - 3, 30);
      const { windowStart } = slid.sequence;
      assert.equal(windowStart, 32);
      assert.equal(await cachedOf(one, 1 + windowStart + shift, 100), expected);
    }
  });

  it("computes the window of equal texts that slide together once", async () => {
    const rowsOf = async (texts: number) => {
      const { session, engine } = engineOf(3);
      const asked = Array.from({ length: texts }, () =>
        ask(engine, { promptIds: count(1, context - 4), maxTokens: 40 }),
      );
      await engine.run();
      for (const { outcome } of asked) await assertWrote(outcome, context - 3, 40);
      return session.prefilledRows;
    };
    const [three, one] = [await rowsOf(3), await rowsOf(1)];
    // How many rows each run has depends on the time that others took, and a few are too few to wait for.
    assert.ok(three < 1.2 * one, `${three} rows for three texts, ${one} for one`);
  });

  it("copies the beginning from a sequence that runs, which goes on unharmed", async () => {
    const { engine } = engineOf(3);
    const running = ask(engine, { promptIds: count(1, 100), maxTokens: 40 });
    await stepTo(running.sequence, 108, engine);
    const joining = ask(engine, { promptIds: count(1, 105), maxTokens: 30 });
    await engine.run();
    assert.equal(await assertWrote(joining.outcome, 106, 30), 104);
    await assertWrote(running.outcome, 101, 40);
  });

  it("computes the common beginning of prompts that come together once", async () => {
    const { engine } = engineOf(8);
    const asked = Array.from({ length: 8 }, (_, i) =>
      ask(engine, { promptIds: count(1, 100 + i), maxTokens: 2 }),
    );
    await engine.run();
    const [first, ...others] = asked.map(({ sequence }) => sequence.computedTokens);
    assert.equal(first, 100);
    // What the first wrote meanwhile counts too.
    for (const [i, computed] of others.entries()) assert.ok(computed <= i + 1, `${computed} of prompt ${i}`);
    for (const [i, { outcome }] of asked.entries()) await assertWrote(outcome, 101 + i, 2);
  });

  it("copies no rows for a prompt that is scored, but leaves its own to others", async () => {
    const one = engineOf(2);
    await cachedOf(one, 1, 60);
    const { outcome } = ask(one.engine, {
      ...{ promptIds: count(1, 80), maxTokens: 2 },
      ...{ promptLogprobs: true, logprobs: 0 },
    });
    await one.engine.run();
    assert.equal(await assertWrote(outcome, 81, 2), 0);
    assert.equal(await cachedOf(one, 1, 75), 74);
  });

  it("keeps every text right while many begin alike, slide, are cancelled and forgotten", async () => {
    const one = engineOf(7, 4);
    const { engine } = one;
    const total = randomCases(120, 600);
    const random = (i: number, salt: number, below: number) => Math.floor(uniform([i, salt], 21) * below);
    const asked: { first: number; length: number; most: number; of: ReturnType<typeof ask> }[] = [];
    for (let next = 0; next < total || !engine.idle; await engine.step()) {
      if (next < total && engine.size < 6) {
        const [first, length] = [1 + 90 * random(next, 1, 3), 1 + random(next, 2, context - 1)];
        const most = 1 + random(next, 3, 40);
        asked.push({
          first,
          length,
          most,
          of: ask(engine, { promptIds: textOf(first, length), maxTokens: most }),
        });
        if (random(next++, 4, 5) === 0) asked[random(next, 5, asked.length)]!.of.sequence.cancelled = true;
      }
    }
    let [cached, read] = [0, 0];
    for (const { first, length, most, of } of asked) {
      if ((await of.outcome).type === "cancelled") continue;
      cached += await assertWrote(of.outcome, first + length, most);
      read += length;
    }
    assert.ok(cached > read / 2, `${cached} of ${read} tokens came from the cache`);
  });
});

/** The fake without its check of the rows, for texts that are not of consecutive numbers. */
function unchecked(session: CountingSession): StepSession["run"] {
  const run = CountingSession.prototype.run.bind(session);
  return (inputs) => run({ ...inputs, past: [] });
}
