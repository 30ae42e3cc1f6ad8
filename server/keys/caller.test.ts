import assert from "node:assert/strict";
import { test } from "node:test";
import { mulberry32 } from "../../models/recipe/random.js";
import { PublicError } from "../errors/errors.js";
import { type Limits, unlimited } from "../settings/key.js";
import { Caller, type Lease } from "./caller.js";

const start = Date.parse("2026-01-31T12:00:00Z");

function callerWith(limits: Partial<Limits>, highest?: number) {
  const clock = { now: start };
  const key = { name: "a", priority: 2, limits: { ...unlimited, ...limits } };
  return { clock, caller: new Caller(key, () => clock.now, highest) };
}

/** Code and Retry-After of the error that `attempt` throws; null if it throws none. */
function refusal(attempt: () => unknown): [code: string, retryAfter: string | undefined] | null {
  try {
    attempt();
    return null;
  } catch (error) {
    assert.ok(error instanceof PublicError);
    return [error.code, error.headers["Retry-After"]];
  }
}

test("without limits nothing is refused, and everything is counted", () => {
  const { caller } = callerWith({});
  for (let n = 0; n < 1000; n++) {
    caller.arrive();
    caller.admit({ tokens: 1e9 }).settle({ promptTokens: 2, completionTokens: 3 });
  }
  assert.deepEqual(caller.ledger.total, {
    requests: 1000,
    refused: 0,
    promptTokens: 2000,
    completionTokens: 3000,
  });
});

test("requests per minute: refused past the limit, for exactly the time in Retry-After", () => {
  const { caller, clock } = callerWith({ requestsPerMinute: 4 });
  for (let n = 0; n < 4; n++) caller.arrive();
  assert.deepEqual(
    refusal(() => caller.arrive()),
    ["rate_limited", "15"],
  );
  clock.now += 14_000;
  assert.deepEqual(
    refusal(() => caller.arrive()),
    ["rate_limited", "1"],
  );
  clock.now += 1000;
  assert.equal(
    refusal(() => caller.arrive()),
    null,
    "the refused ones cost nothing",
  );
  assert.deepEqual(
    refusal(() => caller.arrive()),
    ["rate_limited", "15"],
  );
});

test("tokens are held until the generation ends, then the used ones are charged", () => {
  const { caller, clock } = callerWith({ tokensPerMinute: 600 });
  const lease = caller.admit({ tokens: 500 });
  assert.deepEqual(
    refusal(() => caller.admit({ tokens: 200 })),
    ["tokens_limited", "10"],
  );
  clock.now += 120_000;
  assert.equal(caller.allowances.tokensPerMinute!.remaining, 100, "still held after two minutes");
  lease.settle({ promptTokens: 40, completionTokens: 60 });
  assert.equal(caller.allowances.tokensPerMinute!.remaining, 500);
  lease.settle({ promptTokens: 40, completionTokens: 60 });
  assert.equal(caller.allowances.tokensPerMinute!.remaining, 500, "a lease is settled once");
  assert.equal(
    refusal(() => caller.admit({ tokens: 500 })),
    null,
  );
});

test("a generation that computed nothing uses nothing", () => {
  const { caller } = callerWith({ tokensPerMinute: 600, tokensPerDay: 600, concurrentRequests: 1 });
  caller.admit({ tokens: 600 }).settle();
  assert.equal(
    refusal(() => caller.admit({ tokens: 600 })),
    null,
  );
});

test("tokens per day: refused until midnight UTC, or for one second if only held tokens are in the way", () => {
  const { caller, clock } = callerWith({ tokensPerDay: 1000 });
  const lease = caller.admit({ tokens: 800 });
  assert.deepEqual(
    refusal(() => caller.admit({ tokens: 300 })),
    ["quota_used_up", "1"],
  );
  lease.settle({ promptTokens: 400, completionTokens: 400 });
  assert.deepEqual(
    refusal(() => caller.admit({ tokens: 300 })),
    ["quota_used_up", String(12 * 3600)],
  );
  clock.now += 12 * 3600 * 1000 - 1;
  assert.deepEqual(
    refusal(() => caller.admit({ tokens: 300 })),
    ["quota_used_up", "1"],
  );
  clock.now += 1;
  assert.equal(
    refusal(() => caller.admit({ tokens: 1000 })),
    null,
  );
});

test("if several limits refuse, Retry-After is the longest", () => {
  const { caller } = callerWith({ tokensPerMinute: 600, tokensPerDay: 700 });
  caller.admit({ tokens: 600 }).settle({ promptTokens: 300, completionTokens: 300 });
  assert.deepEqual(
    refusal(() => caller.admit({ tokens: 60 })),
    ["tokens_limited", "6"],
  );
  assert.deepEqual(
    refusal(() => caller.admit({ tokens: 120 })),
    ["quota_used_up", String(12 * 3600)],
  );
});

test("a request that can never fit gets over_quota without Retry-After, even if nothing is used yet", () => {
  for (const limits of [{ tokensPerMinute: 100 }, { tokensPerDay: 100 }]) {
    const { caller } = callerWith(limits);
    assert.deepEqual(
      refusal(() => caller.admit({ tokens: 101 })),
      ["over_quota", undefined],
    );
    assert.equal(
      refusal(() => caller.admit({ tokens: 100 })),
      null,
    );
  }
});

test("concurrent requests are limited", () => {
  const { caller } = callerWith({ concurrentRequests: 2 });
  const first = caller.admit({ tokens: 1 });
  caller.admit({ tokens: 1 });
  assert.deepEqual(
    refusal(() => caller.admit({ tokens: 1 })),
    ["concurrency_limited", "1"],
  );
  assert.deepEqual(caller.allowances.concurrentRequests, { limit: 2, remaining: 0, msUntilReset: null });
  first.settle();
  assert.equal(
    refusal(() => caller.admit({ tokens: 1 })),
    null,
  );
});

test("new limits hold from the next request on; used and held tokens still count", () => {
  const { caller, clock } = callerWith({ requestsPerMinute: 10, tokensPerMinute: 1000 });
  for (let n = 0; n < 10; n++) caller.arrive();
  const lease = caller.admit({ tokens: 900 });
  caller.revise({
    priority: -1,
    limits: { ...unlimited, requestsPerMinute: 20, tokensPerMinute: 2000, tokensPerDay: 2000 },
  });
  assert.equal(caller.priority, -1);
  assert.equal(caller.allowances.requestsPerMinute!.remaining, 10);
  assert.equal(caller.allowances.tokensPerMinute!.remaining, 1100);
  lease.settle({ promptTokens: 1, completionTokens: 799 });
  assert.equal(caller.allowances.tokensPerDay!.remaining, 1200);
  caller.revise({ priority: 0, limits: { ...unlimited, requestsPerMinute: 5, tokensPerDay: 100 } });
  assert.equal(caller.allowances.requestsPerMinute!.remaining, 0);
  assert.equal(caller.allowances.tokensPerDay!.remaining, 0);
  assert.deepEqual(
    refusal(() => caller.arrive()),
    ["rate_limited", "72"],
  );
  clock.now += 72_000;
  assert.equal(
    refusal(() => caller.arrive()),
    null,
  );
});

test("a request has its key's priority, or a lower one that it asks for", () => {
  const { caller } = callerWith({});
  assert.deepEqual([caller.priorityFor(), caller.priorityFor(-3), caller.priorityFor(9)], [2, -3, 2]);
  assert.equal(callerWith({}, 10).caller.priorityFor(9), 9);
});

test("no limit is exceeded, in whatever order requests come and end", () => {
  const limits = { tokensPerMinute: 3000, tokensPerDay: 40_000, concurrentRequests: 12 };
  const { caller, clock } = callerWith(limits);
  clock.now = Date.parse("2026-01-31T23:40:00Z");
  const next = mulberry32(1);
  const random = (below: number) => Math.floor(next() * below);
  const running: { lease: Lease; tokens: number }[] = [];
  const uses: { at: number; tokens: number }[] = [];
  let admitted = 0;
  for (let step = 0; step < 20_000; step++) {
    clock.now += random(200);
    if (random(2) === 0) {
      const tokens = 1 + random(900);
      if (refusal(() => running.push({ lease: caller.admit({ tokens }), tokens })) === null) admitted++;
    } else if (running.length > 0) {
      const [{ lease, tokens }] = running.splice(random(running.length), 1) as [(typeof running)[0]];
      const used = random(tokens + 1);
      lease.settle({ promptTokens: 0, completionTokens: used });
      uses.push({ at: clock.now, tokens: used });
    }
    assert.ok(running.length <= limits.concurrentRequests);
  }
  assert.ok(admitted > 50, `${admitted} admitted`);
  const days = new Map<number, number>();
  for (const { at, tokens } of uses) {
    const day = Math.floor(at / 86_400_000);
    days.set(day, (days.get(day) ?? 0) + tokens);
  }
  assert.equal(days.size, 2);
  for (const used of days.values()) assert.ok(used <= limits.tokensPerDay, `${used} in a day`);
  // A token bucket's bound over any time span: its capacity plus what flows in meanwhile.
  for (let from = 0; from < uses.length; from++) {
    let sum = 0;
    for (let to = from; to < uses.length; to++) {
      sum += uses[to]!.tokens;
      const flown = ((uses[to]!.at - uses[from]!.at) * limits.tokensPerMinute) / 60_000;
      assert.ok(sum <= limits.tokensPerMinute + flown + 1e-3);
    }
  }
});
