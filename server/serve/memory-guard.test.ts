import assert from "node:assert/strict";
import { test } from "node:test";
import type { Log } from "../log.js";
import type { Room } from "../plan/cgroups.js";
import { MemoryGuard } from "./memory-guard.js";

const MEGABYTE = 2 ** 20;

function guard({ workers = 2, owned = true } = {}) {
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  const log: Log = { error: note, warn: note, info: note, debug: note, hidesPrompts: false };
  const state = { rss: 0, room: null as Room | null, isWhole: true, renewals: 0 };
  const pool = {
    size: workers,
    get isWhole() {
      return state.isWhole;
    },
    renew: () => void state.renewals++,
  };
  const made = new MemoryGuard({
    budget: 100 * MEGABYTE,
    log,
    workers: () => (owned ? pool : null),
    rss: () => state.rss,
    room: () => state.room,
  });
  made.close();
  const look = (megabytes: number, times = 1) => {
    state.rss = megabytes * MEGABYTE;
    for (let n = 0; n < times; n++) made.look();
  };
  const roomOf = (free: number) => {
    state.room = { limit: 1024 * MEGABYTE, free: free * MEGABYTE };
  };
  return { guard: made, lines, state, look, roomOf };
}

test("memory above the budget is told once, and again after it was well below", () => {
  const { guard: made, lines, look } = guard();
  for (const megabytes of [100, 101, 150, 95, 101, 89, 50, 101]) look(megabytes);
  assert.deepEqual(lines, [
    "the process holds 101 MiB, more than its budget of 100 MiB",
    "the process holds 89 MiB, within its budget again",
    "the process holds 101 MiB, more than its budget of 100 MiB",
  ]);
  const { rss, budget, container_free } = made.read();
  assert.deepEqual([rss, budget, container_free], [101 * MEGABYTE, 100 * MEGABYTE, null]);
});

test("a peak replaces no worker; memory that stays above the budget replaces each once, one at a time", () => {
  const { guard: made, lines, state, look } = guard();
  for (let n = 0; n < 5; n++) {
    look(101, 9);
    look(100);
  }
  assert.equal(state.renewals, 0);
  look(101, 10);
  assert.equal(state.renewals, 1);
  state.isWhole = false;
  look(101, 50);
  assert.equal(state.renewals, 1);
  state.isWhole = true;
  look(101, 10);
  assert.equal(state.renewals, 2);
  look(101, 100);
  assert.equal(state.renewals, 2);
  assert.equal(
    lines.filter((line) => line === "the process holds 101 MiB, though all its workers were replaced").length,
    1,
  );
  assert.equal(made.read().replaced_workers, 2);
  assert.equal(made.isLimited, false);
  // Between relief and the budget nothing begins anew.
  look(95);
  look(101, 30);
  assert.equal(state.renewals, 2);
  look(89);
  look(101, 10);
  assert.equal(state.renewals, 3);
});

test("near the container's limit new work is refused until there is room again, and workers are replaced", () => {
  const { guard: made, lines, state, look, roomOf } = guard();
  roomOf(65);
  look(50);
  assert.equal(made.isLimited, false);
  roomOf(63);
  look(50);
  assert.equal(made.isLimited, true);
  roomOf(128);
  look(50, 9);
  assert.equal(made.isLimited, true);
  assert.equal(state.renewals, 1);
  roomOf(129);
  look(50);
  assert.equal(made.isLimited, false);
  assert.deepEqual(lines, [
    "the container has 63 MiB left of 1024 MiB: new work is refused",
    "memory is short: a worker is replaced as soon as it has no work",
    "the container has 129 MiB left: new work is accepted again",
  ]);
  assert.equal(made.read().container_free, 129 * MEGABYTE);
});

test("in a program of somebody else it only tells", () => {
  const { guard: made, lines, state, look, roomOf } = guard({ owned: false });
  roomOf(1);
  look(101, 100);
  assert.deepEqual([made.isLimited, state.renewals], [false, 0]);
  assert.deepEqual(lines, ["the process holds 101 MiB, more than its budget of 100 MiB"]);
});

test("without another source it reads this process", () => {
  const silent = () => {};
  const log: Log = { error: silent, warn: silent, info: silent, debug: silent, hidesPrompts: false };
  const made = new MemoryGuard({ budget: 1, log, workers: () => null });
  made.close();
  assert.ok(made.read().rss > 2 ** 20);
});

test("a limit that is lifted refuses nothing more", () => {
  const { guard: made, state, look, roomOf } = guard();
  roomOf(10);
  look(50);
  assert.equal(made.isLimited, true);
  state.room = null;
  look(50);
  assert.equal(made.isLimited, false);
});
