// Real workers that are given up again and again, most of them inside a run of the model: ending one there would abort this
// process.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { PLAIN_SAMPLING } from "../../workers/engine/sampling/sampling.js";
import { packageRoot } from "../settings/config.js";
import { Pool, WorkerLost } from "./pool.js";

const REPLACED = 12;

test("workers that are given up inside the native runtime take nothing with them", async (context) => {
  const pool = new Pool({
    filename: fileURLToPath(new URL("../../workers/generate.js", import.meta.url)),
    setup: {
      modelDir: join(packageRoot, "models", "jai-small"),
      device: "cpu",
      deviceIds: [0, 0],
      slots: 8,
      threads: 1,
      threadsAlone: 1,
      contextStride: 64,
    },
    context: 256,
    // Shorter than a prompt's run.
    patience: { least: 2, first: 2, most: 2, runs: 20, look: 1 },
  });
  // Nothing else keeps the process alive while a successor loads.
  const timer = setInterval(() => {}, 1000);
  context.after(() => {
    clearInterval(timer);
    return pool.close();
  });
  await pool.ready;
  let hung = 0;
  let tasks = 0;
  pool.on("hung", () => hung++);
  const keepGenerating = async () => {
    while (hung < REPLACED) {
      const task = {
        id: String(tasks++),
        promptIds: Array.from({ length: 200 }, (_, i) => (i * 7 + tasks) % 3000),
        maxTokens: 50,
        minTokens: 0,
        sampling: { ...PLAIN_SAMPLING, seed: [tasks, 0] as const },
        logprobs: null,
        promptLogprobs: false,
        grammar: null,
        stop: [],
        ignoreEos: true,
      };
      await pool.run(task).outcome.catch((error) => assert.ok(error instanceof WorkerLost));
    }
  };
  await Promise.all(Array.from({ length: 8 }, keepGenerating));
  while (pool.capacity < 16) await new Promise((resolve) => pool.once("capacity", () => resolve(null)));
  // The runs of those that were given up end after a while.
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(hung >= REPLACED);
});
