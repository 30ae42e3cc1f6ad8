import assert from "node:assert/strict";
import { test } from "node:test";
import { SteadyClock } from "./steady-clock.js";

const DAY = 25 * 3_600_000;

/** A machine whose clocks the test sets. */
function machine() {
  const state = { wall: 1_800_000_000_000, real: 0, boot: "one" as string | null };
  const sources = {
    wall: () => state.wall,
    elapsed: () => state.real + 17,
    uptime: () => state.real,
    boot: () => state.boot,
  };
  const pass = (ms: number) => {
    state.wall += ms;
    state.real += ms;
  };
  return { state, sources, pass };
}

for (const jump of [DAY, -DAY]) {
  test(`a jump of the system's clock by ${jump / 3_600_000} h moves nothing in the process, nor across its restart`, () => {
    const { state, sources, pass } = machine();
    const clock = new SteadyClock(null, sources);
    const start = clock.now();
    assert.equal(start, state.wall);
    pass(1000);
    state.wall += jump;
    assert.equal(clock.now() - start, 1000);
    const mark = clock.mark();
    pass(500);
    state.wall += jump;
    assert.equal(new SteadyClock(mark, sources).now() - start, 1500);
  });
}

test("after a restart of the machine it goes on by the system's clock, and never backwards", () => {
  for (const boot of ["two", null]) {
    const { state, sources, pass } = machine();
    if (boot === null) state.boot = null;
    const clock = new SteadyClock(null, sources);
    pass(1000);
    const mark = clock.mark();
    state.boot = boot;
    state.real = 5;
    state.wall += 60_000;
    assert.equal(new SteadyClock(mark, sources).now(), mark.time + 60_000);
    state.wall -= DAY;
    assert.equal(new SteadyClock(mark, sources).now(), mark.time);
  }
});
