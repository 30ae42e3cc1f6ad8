import assert from "node:assert/strict";
import { test } from "node:test";
import { DayQuota, MinuteQuota } from "./quota.js";

test("a minute's worth may be used at once, and comes back evenly", () => {
  let now = 0;
  const quota = new MinuteQuota(60, () => now);
  assert.equal(quota.msUntilRoom(60, 0), 0);
  quota.use(60);
  assert.equal(quota.msUntilRoom(1, 0), 1000);
  assert.equal(quota.msUntilRoom(60, 0), 60_000);
  assert.equal(quota.msUntilReset, 60_000);
  now = 999;
  assert.equal(Math.round(quota.msUntilRoom(1, 0)), 1);
  now = 1000;
  assert.equal(quota.msUntilRoom(1, 0), 0);
  now = 3_600_000;
  assert.equal(quota.used, 0);
});

test("there is room exactly when msUntilRoom said, for any limit and after any number of reads", () => {
  for (let limit = 1; limit <= 2000; limit += 7) {
    let now = 0;
    const quota = new MinuteQuota(limit, () => now);
    quota.use(limit);
    for (let looks = 0; looks < 50; looks++) {
      now += 17;
      void quota.used;
    }
    const amount = Math.ceil(limit / 3);
    const wait = quota.msUntilRoom(amount, 0);
    now += wait - 1;
    assert.ok(quota.msUntilRoom(amount, 0) > 0, `not before, with ${limit}`);
    now += 1;
    assert.equal(quota.msUntilRoom(amount, 0), 0, `with ${limit}`);
  }
});

test("held tokens take room, as if they were used", () => {
  const quota = new MinuteQuota(60, () => 0);
  assert.equal(quota.msUntilRoom(20, 40), 0);
  assert.equal(quota.msUntilRoom(21, 40), 1000);
});

test("a clock that is set back changes nothing", () => {
  let now = 1_000_000;
  const quota = new MinuteQuota(60, () => now);
  quota.use(30);
  now = 0;
  assert.equal(quota.used, 30);
  now = 10_000;
  assert.equal(quota.used, 20);
});

test("a day ends at midnight UTC", () => {
  let now = Date.parse("2026-01-31T23:59:58Z");
  let used = 90;
  const quota = new DayQuota(
    100,
    () => now,
    () => used,
  );
  assert.equal(quota.msUntilRoom(10, 0), 0);
  assert.equal(quota.msUntilRoom(11, 0), 2000);
  assert.equal(quota.msUntilRoom(10, 1), 1, "1 ms: as soon as a request ends");
  assert.equal(quota.msUntilReset, 2000);
  now += 2000;
  used = 0;
  assert.equal(quota.msUntilRoom(100, 0), 0);
  assert.equal(quota.msUntilReset, 86_400_000);
});
