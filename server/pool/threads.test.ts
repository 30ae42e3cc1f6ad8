// Real workers that are given up again and again, most of them inside a run of the model: ending one there would abort this
// process.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PLAIN_SAMPLING } from "../../workers/engine/sampling/sampling.js";
import { packageRoot } from "../settings/config.js";
import { Pool, type PoolOptions, WorkerLost } from "./pool.js";

const REPLACED = 12;
/** When the first start is given up, and how many times later each further one. */
const SOON_MS = 10;
const LATER = 1.2;

/** Shorter than a prompt's run. */
const patience = { least: 2, first: 2, most: 2, runs: 20, look: 1 };

function createPool(context: TestContext, options: Pick<PoolOptions, "patience" | "loading">): Pool {
  const pool = new Pool({
    filename: fileURLToPath(new URL("../../workers/generate.js", import.meta.url)),
    setup: {
      modelDir: join(packageRoot, "models", "jai-small"),
      prepared: null,
      device: "cpu",
      deviceIds: [0, 0],
      slots: 8,
      threads: 1,
      keptPrefixes: 1,
      threadsAlone: 1,
      contextStride: 64,
      speculation: true,
    },
    context: 256,
    ...options,
  });
  // Nothing else keeps the process alive while a successor loads.
  const timer = setInterval(() => {}, 1000);
  context.after(() => {
    clearInterval(timer);
    return pool.close();
  });
  return pool;
}

let tasks = 0;

async function generate(pool: Pool): Promise<void> {
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

test("workers that are given up inside the native runtime take nothing with them", async (context) => {
  const pool = createPool(context, { patience });
  await pool.ready;
  let hung = 0;
  pool.on("hung", () => hung++);
  const keepGenerating = async () => {
    while (hung < REPLACED) await generate(pool);
  };
  await Promise.all(Array.from({ length: 8 }, keepGenerating));
  while (pool.capacity < 16) await new Promise((resolve) => pool.once("capacity", () => resolve(null)));
  // The runs of those that were given up end after a while.
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(hung >= REPLACED);
});

test("nor do workers that are given up at any moment of their start", async (context) => {
  let overdue = 0;
  const loading = {
    runs: 0,
    first: 60_000,
    most: 60_000,
    // A later moment each time, until the model is loaded by then.
    get least() {
      return SOON_MS * LATER ** overdue;
    },
  };
  const pool = createPool(context, { loading, patience });
  await pool.ready;
  pool.on("hung", (reason) => {
    if (reason.includes("loaded")) overdue++;
  });
  while (pool.capacity === 16) await Promise.all(Array.from({ length: 8 }, () => generate(pool)));
  while (pool.capacity < 16) await new Promise((resolve) => setTimeout(resolve, 10));
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(overdue > 0);
  assert.equal(pool.workers.failedStarts, overdue);
  context.diagnostic(`${overdue} starts were given up`);
});
