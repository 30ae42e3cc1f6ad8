import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { namedCallers } from "../fixtures/named-callers.js";
import { TestClock, temporaryFolder } from "../jobs/fixture.js";
import { hashKey, unlimited } from "../settings/key.js";
import { Space } from "../store/space.js";
import { Store } from "../store/store.js";
import { Callers } from "./callers.js";
import { UsageRecords } from "./usage-records.js";

const limits = { requestsPerMinute: 60, tokensPerMinute: 600, tokensPerDay: 500 };
const DAY = 86_400_000;

interface Options {
  callers?: Callers;
  clock?: TestClock;
}

async function open(
  context: TestContext,
  folder: string,
  { clock = new TestClock(), ...given }: Options = {},
) {
  const callers = given.callers ?? namedCallers(["anna", "ben"], limits, clock.now);
  const store = await Store.open(folder);
  const space = new Space(1e9);
  const lines: string[] = [];
  const log = { warn: (line: string) => void lines.push(line) };
  const records = await UsageRecords.open({ store, space, callers, log, now: clock.now });
  let closed = false;
  const close = async () => {
    if (closed) return;
    closed = true;
    await records.close();
    await store.close();
  };
  context.after(close);
  return { callers, store, space, records, lines, clock, close, anna: callers.named("anna")! };
}

test("counts, quotas and the start of the counts outlive a restart; a minute's use flows back meanwhile", async (context) => {
  const folder = temporaryFolder(context);
  const first = await open(context, folder);
  const since = first.anna.ledger.since;
  first.clock.advance(1000);
  for (let n = 0; n < 30; n++) first.anna.arrive();
  first.anna.admit({ tokens: 500 }).settle({ promptTokens: 100, completionTokens: 200 });
  first.anna.ledger.add({ refused: 2 });
  const { days, total } = first.anna.ledger;
  await first.close();
  first.clock.advance(20_000);
  const { anna, callers, space } = await open(context, folder, { clock: first.clock });
  assert.deepEqual(anna.ledger.total, total);
  assert.deepEqual(anna.ledger.days, days);
  assert.deepEqual(anna.ledger.since, since);
  const { requestsPerMinute, tokensPerMinute, tokensPerDay } = anna.allowances;
  assert.equal(requestsPerMinute!.remaining, 60 - 30 + 20);
  assert.equal(tokensPerMinute!.remaining, 600 - 300 + 200);
  assert.equal(tokensPerDay!.remaining, 200);
  assert.throws(() => anna.admit({ tokens: 201 }), { code: "quota_used_up" });
  assert.equal(callers.named("ben")!.ledger.total.requests, 0);
  assert.ok(space.used > 0, "rows take room in the store");
});

test("without keys the anonymous caller's counts outlive a restart", async (context) => {
  const folder = temporaryFolder(context);
  const first = await open(context, folder, { callers: new Callers(null) });
  first.callers.anonymous.arrive();
  await first.close();
  const { callers } = await open(context, folder, { callers: new Callers(null) });
  assert.equal(callers.anonymous.ledger.total.requests, 1);
});

test("a clock that was set back before the restart gives nothing back early", async (context) => {
  const folder = temporaryFolder(context);
  const first = await open(context, folder);
  for (let n = 0; n < 60; n++) first.anna.arrive();
  await first.close();
  first.clock.advance(-3_600_000);
  const { anna, clock } = await open(context, folder, { clock: first.clock });
  assert.throws(() => anna.arrive(), { code: "rate_limited" });
  clock.advance(1000);
  anna.arrive();
});

test("many changes are one write, and no change is none", async (context) => {
  const { callers, store, records } = await open(context, temporaryFolder(context));
  await records.save();
  const written: string[][] = [];
  const write = store.write.bind(store);
  store.write = (writes) => {
    written.push(writes.map(([key]) => key));
    return write(writes);
  };
  for (let n = 0; n < 50; n++) for (const name of ["anna", "ben"]) callers.named(name)!.arrive();
  await records.save();
  await records.save();
  assert.deepEqual(written, [["usage/anna", "usage/ben"]]);
});

test("a key that comes back goes on with its counts; without one its row goes when its last day is too old", async (context) => {
  const folder = temporaryFolder(context);
  const clock = new TestClock();
  const first = await open(context, folder, { clock });
  first.anna.arrive();
  first.callers.named("ben")!.arrive();
  const key = (name: string) => ({ name, hash: hashKey(name), priority: 0, limits: unlimited });
  first.callers.replace([key("ben")]);
  first.callers.replace([key("ben"), key("anna")]);
  assert.equal(first.callers.named("anna")!.ledger.total.requests, 1, "in the same process");
  await first.close();

  clock.advance(30 * DAY);
  const second = await open(context, folder, { clock, callers: namedCallers(["ben"], {}, clock.now) });
  await second.records.save();
  assert.deepEqual(await second.store.keys("usage/"), ["usage/anna", "usage/ben"]);
  await second.close();
  const third = await open(context, folder, { clock });
  assert.equal(third.anna.ledger.total.requests, 1, "in a later one");
  await third.close();

  clock.advance(2 * DAY);
  const last = await open(context, folder, { clock, callers: namedCallers(["ben"], {}, clock.now) });
  await last.records.save();
  assert.deepEqual(await last.store.keys("usage/"), ["usage/ben"], "a name with a key keeps its row");
  assert.deepEqual(
    [...last.callers.known()].map(({ name }) => name),
    ["ben"],
  );
});

test("a row that is no usage is named and dropped, and the others count", async (context) => {
  const folder = temporaryFolder(context);
  const first = await open(context, folder);
  first.callers.named("ben")!.arrive();
  await first.records.save();
  const row = (await first.store.get<object>("usage/ben"))!;
  for (const wrong of [
    null,
    5,
    [],
    {},
    { ...row, since: 1e300 },
    { ...row, total: { requests: -1 } },
    { ...row, days: [["2026-01-31", null]] },
    { ...row, days: [["yesterday", { requests: 1, refused: 0, promptTokens: 0, completionTokens: 0 }]] },
    { ...row, tokensPerMinute: { used: "9", at: 0 } },
  ]) {
    await first.store.write([["usage/anna", JSON.stringify(wrong)]]);
    const callers = namedCallers(["anna", "ben"], limits);
    const lines: string[] = [];
    const log = { warn: (line: string) => void lines.push(line) };
    const { store } = first;
    const records = await UsageRecords.open({ store, space: new Space(1e9), callers, log });
    assert.deepEqual(
      lines,
      ["the stored usage of anna is damaged: it is counted anew"],
      JSON.stringify(wrong),
    );
    assert.equal(callers.named("anna")!.ledger.total.requests, 0);
    assert.equal(callers.named("ben")!.ledger.total.requests, 1);
    assert.deepEqual(await store.keys("usage/"), ["usage/ben"]);
    await records.close();
  }
});

test("while the store cannot be written, counting goes on, and is written later", async (context) => {
  const folder = temporaryFolder(context);
  const { anna, store, records } = await open(context, folder);
  rmSync(folder, { recursive: true });
  writeFileSync(folder, "in its place");
  anna.arrive();
  await records.save();
  assert.equal(store.isWritable, false);
  anna.arrive();
  await records.save();
  assert.equal(anna.ledger.total.requests, 2);
  const writable = new Promise<void>((resolve) => store.onWritable(resolve));
  // The store's own timers keep no process alive.
  const alive = setInterval(() => {}, 1000);
  context.after(() => clearInterval(alive));
  rmSync(folder);
  await writable;
  await records.save();
  assert.equal((await store.get<{ total: { requests: number } }>("usage/anna"))!.total.requests, 2);
});
