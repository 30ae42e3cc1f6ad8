import assert from "node:assert/strict";
import { test } from "node:test";
import { Ledger } from "./ledger.js";

const DAY = 86_400_000;

test("days are counted separately, latest first, and the total has all", () => {
  let now = Date.parse("2026-01-31T23:59:59.999Z");
  const ledger = new Ledger(() => now);
  ledger.add({ requests: 1 });
  ledger.add({ promptTokens: 2, completionTokens: 3 });
  assert.equal(ledger.tokensToday, 5);
  now += 1;
  assert.equal(ledger.tokensToday, 0);
  ledger.add({ requests: 1, refused: 1 });
  assert.deepEqual(ledger.days, [
    ["2026-02-01", { requests: 1, refused: 1, promptTokens: 0, completionTokens: 0 }],
    ["2026-01-31", { requests: 1, refused: 0, promptTokens: 2, completionTokens: 3 }],
  ]);
  assert.deepEqual(ledger.total, { requests: 2, refused: 1, promptTokens: 2, completionTokens: 3 });
  assert.equal(ledger.since.toISOString(), "2026-01-31T23:59:59.999Z");
});

test("a day is counted though the clock was set back before all days that are kept", () => {
  let now = Date.parse("2026-06-01T12:00:00Z");
  const ledger = new Ledger(() => now);
  for (let day = 0; day < 31; day++, now += DAY) ledger.add({ requests: 1 });
  now = 0;
  ledger.add({ promptTokens: 5 });
  ledger.add({ promptTokens: 6 });
  assert.equal(ledger.tokensToday, 11, "or a quota of a day would be none");
  assert.equal(ledger.days.length, 31);
});

test("the last 31 days are kept", () => {
  let now = Date.parse("2026-01-01T00:00:00Z");
  const ledger = new Ledger(() => now);
  for (let day = 0; day < 100; day++, now += DAY) ledger.add({ requests: 1 });
  assert.equal(ledger.days.length, 31);
  assert.equal(ledger.days[0]![0], "2026-04-10");
  assert.equal(ledger.days.at(-1)![0], "2026-03-11");
  assert.equal(ledger.total.requests, 100);
});
