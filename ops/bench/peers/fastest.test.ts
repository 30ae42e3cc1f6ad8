import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunningSystem } from "../system.js";
import { startFastest } from "./fastest.js";

/** Takes a time for every answer, as a timer tells it. */
function server(milliseconds: number, stopped: string[]): RunningSystem {
  return {
    settings: `${milliseconds}`,
    ask: ({ maxTokens }) => new Promise((resolve) => setTimeout(() => resolve(maxTokens), milliseconds)),
    stop: async () => {
      stopped.push(`${milliseconds}`);
    },
  };
}

test("the faster number of threads is found once, of all cores and one less", async () => {
  const started: number[] = [];
  const stopped: string[] = [];
  const start = async (threads: number) => {
    started.push(threads);
    return server(threads === 3 ? 100 : 400, stopped);
  };
  const running = await startFastest("first", "model", { clients: 2, threads: 4 }, start);
  assert.equal(running.settings, "100");
  assert.deepEqual(started, [4, 3, 3]);
  assert.deepEqual(stopped, ["400", "100"], "all but the last are stopped");
  await startFastest("first", "model", { clients: 2, threads: 4 }, start);
  assert.deepEqual(started.slice(3), [3]);
});

test("settings that fail are passed over, and where nothing runs the reason is told", async () => {
  const start = async (threads: number) => {
    if (threads === 2) throw new Error("no such binary");
    return server(1, []);
  };
  const running = await startFastest("second", "model", { clients: 1, threads: 2 }, start);
  assert.equal(running.settings, "1");
  await assert.rejects(
    startFastest("third", "model", { clients: 1, threads: 2 }, () => start(2)),
    /^Error: no such binary$/,
  );
});
