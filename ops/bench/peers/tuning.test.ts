import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunningSystem } from "../system.js";
import { startFastest, threadChoices } from "./tuning.js";

const model = { name: "", checkpoint: "", tokenizer: "", folder: "", work: "" };

/** Takes a time for every answer, as a timer tells it. */
function server(milliseconds: number, stopped: number[]): RunningSystem {
  return {
    settings: `${milliseconds}`,
    ask: ({ maxTokens }) => new Promise((resolve) => setTimeout(() => resolve(maxTokens), milliseconds)),
    stop: async () => {
      stopped.push(milliseconds);
    },
  };
}

test("the fastest settings are found once, and those that fail are passed over", async () => {
  const started: number[] = [];
  const stopped: number[] = [];
  const start = async (milliseconds: number) => {
    started.push(milliseconds);
    if (milliseconds === 0) throw new Error("can't run");
    return server(milliseconds, stopped);
  };
  const running = await startFastest("first", model, 2, [400, 0, 100, 700], start);
  assert.equal(running.settings, "100");
  assert.deepEqual(started, [400, 0, 100, 700, 100]);
  assert.deepEqual(stopped, [400, 100, 700], "all but the last are stopped");
  await startFastest("first", model, 2, [400, 0, 100, 700], start);
  assert.deepEqual(started.slice(5), [100]);
});

test("where nothing runs, the reason is told", async () => {
  const start = async () => {
    throw new Error("no such binary");
  };
  await assert.rejects(startFastest("second", model, 1, [1, 2], start), /^Error: no such binary$/);
});

test("settings are tried with all cores and with one less", () => {
  assert.deepEqual(threadChoices(4), [4, 3]);
  assert.deepEqual(threadChoices(1), [1]);
});
