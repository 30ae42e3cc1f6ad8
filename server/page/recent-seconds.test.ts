import assert from "node:assert/strict";
import { test } from "node:test";
import { KEPT_SECONDS, RecentSeconds } from "./source/state/recent-seconds.js";
import { numbersIn } from "./source/texts/live/numbers.js";
import { type Series, type Status, type StatusHistory, seriesNames } from "./source/wire/status.js";

const START = Date.parse("2026-01-01T00:00:00Z");
const at = (second: number) => new Date(START + 1000 * second).toISOString();
const history = (second: number, values: number[]): StatusHistory => ({
  interval_seconds: 1,
  until: at(second),
  series: Object.fromEntries(seriesNames.map((name) => [name, values])) as Series,
});
const percentiles = { p50: 1, p90: 2, p99: 3 };
const status = (second: number, running: number) =>
  ({
    time: at(second),
    rates: { generated_tokens: 10 * running, prompt_tokens: 0, requests: 0 },
    queue: { running, waiting: 0 },
    cache: { used_rows: 5 },
    latency_ms: { ttft: percentiles, itl: { p50: null, p90: null, p99: null } },
  }) as Status;
const lastOf = (recent: RecentSeconds, count: number) => recent.series.running.slice(-count);

test("the server's history comes first, and a value each second after it", () => {
  let recent = RecentSeconds.empty.withHistory(history(100, [1, 2, 3]));
  assert.deepEqual(lastOf(recent, 4), [null, 1, 2, 3]);
  // The state that follows the history at once is of the same second.
  recent = recent.withStatus(status(100.01, 3)).withStatus(status(100.7, 4)).withStatus(status(101.7, 5));
  assert.deepEqual(lastOf(recent, 6), [null, 1, 2, 3, 4, 5]);
  assert.deepEqual(recent.series.generated_tokens.slice(-2), [40, 50]);
  assert.deepEqual(recent.series.itl_p50_ms.slice(-2), [null, null]);
  assert.deepEqual(recent.series.ttft_p99_ms.slice(-2), [3, 3]);
  for (const name of seriesNames) assert.equal(recent.series[name].length, KEPT_SECONDS, name);
});

test("seconds that were missed are a gap", () => {
  let recent = RecentSeconds.empty.withHistory(history(10, [1])).withStatus(status(10, 1));
  recent = recent.withStatus(status(14, 2));
  assert.deepEqual(lastOf(recent, 5), [1, null, null, null, 2]);
  recent = recent.withStatus(status(100_000, 3));
  assert.deepEqual(lastOf(recent, 2), [null, 3]);
  assert.equal(recent.series.running.length, KEPT_SECONDS);
});

test("a server that started anew knows less than the page: what was before stays, with a gap between", () => {
  let recent = RecentSeconds.empty.withHistory(history(10, [1, 2, 3]));
  recent = recent.withHistory(history(16, [7, 8]));
  assert.deepEqual(lastOf(recent, 10), [null, 1, 2, 3, null, null, null, null, 7, 8]);
  // One that did not stop knows the seconds that were missed.
  recent = recent.withHistory(history(18, [7, 8, 9, 9]));
  assert.deepEqual(lastOf(recent, 10), [2, 3, null, null, null, null, 7, 8, 9, 9]);
  const whole = Array.from({ length: KEPT_SECONDS }, (_, second) => second);
  assert.deepEqual(recent.withHistory(history(19, whole)).series.running, whole);
});

test("numbers are written in the reader's language, and as short as they are precise", () => {
  const { span, long, bytes, rate, clock, percent } = numbersIn("en");
  assert.deepEqual([null, 0, 0.1234, 12.345, 999, 1500, 61_000].map(span), [
    "–",
    "0 ms",
    "0.123 ms",
    "12.3 ms",
    "999 ms",
    "1.5 sec",
    "61 sec",
  ]);
  assert.deepEqual([0, 59.9, 60, 3725, 90_000].map(long), ["0s", "59s", "1m", "1h 2m", "1d 1h"]);
  assert.deepEqual([0, 1023, 1024, 1.5 * 1024 ** 2, 5e15].map(bytes), [
    "0 B",
    "1,020 B",
    "1 KiB",
    "1.5 MiB",
    "4,550 TiB",
  ]);
  assert.deepEqual(
    [rate(7.12345), rate(1234.5), clock(65), percent(0.1234)],
    ["7.12", "1,235", "1:05", "12.3%"],
  );
  assert.equal(numbersIn("ko").long(3725), "1시간 2분");
});
