// End to end: what a key has used outlives the process, whether it was stopped or killed.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { ServerProcess } from "../../ops/server-process.js";

const folder = mkdtempSync(join(tmpdir(), "jai-usage-"));
const model = join(folder, "model");
const data = join(folder, "data");
const keys = join(folder, "keys.json");
before(async () => {
  await writeFixtureModel(model, "int8");
  const limits = { tokens_per_day: 100 };
  writeFileSync(keys, JSON.stringify({ keys: [{ name: "anna", key: "secret", limits }] }));
});
after(() => {
  ServerProcess.killAll();
  rmSync(folder, { recursive: true });
});

interface Usage {
  since: string;
  requests: number;
  total_tokens: number;
  days: { total_tokens: number }[];
}

const DAY_MS = 86_400_000;
/** Puts the servers' clocks to noon (UTC), so that no midnight comes in between and gives the day's tokens anew. */
const shift = DAY_MS / 2 - (Date.now() % DAY_MS);
const atNoon = `const now = Date.now; Date.now = () => now() + ${shift};`;

async function start() {
  const server = await ServerProcess.ready(model, {
    JAI_DATA_DIR: data,
    JAI_API_KEYS_FILE: keys,
    NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(atNoon)}`,
  });
  const ask = (path: string, body?: object, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${server.port}${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: { "x-api-key": "secret", "content-type": "application/json", ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const generate = async (max_tokens: number, headers?: Record<string, string>) =>
    (await ask("/generate", { prompt: "abc", max_tokens, ignore_eos: true }, headers)).status;
  const usage = async () => {
    // Limits tell of the time that is left, too.
    const { limits: _limits, ...counts } = (await (await ask("/v1/usage")).json()) as Usage & {
      limits: object;
    };
    return counts;
  };
  return { server, generate, usage };
}

const onDisk = (text: string) =>
  readdirSync(join(data, "jobs"))
    .filter((name) => name === "jobs.sqlite")
    .some((name) => readFileSync(join(data, "jobs", name)).includes(text));

test("a day's quota and the usage go on after a stop and after a kill -9", async () => {
  const first = await start();
  assert.equal(await first.generate(40), 200);
  const before = await first.usage();
  assert.ok(before.total_tokens > 40);
  await first.server.stop();

  const second = await start();
  assert.deepEqual(await second.usage(), before, "to the last token");
  assert.equal(await second.generate(70), 429, "the day's tokens are not given again");
  assert.equal(await second.generate(10), 200);
  const used = (await second.usage()).total_tokens;
  const completion = `"completionTokens":50`;
  while (!onDisk(completion)) await new Promise((resolve) => setTimeout(resolve, 20));
  // Its answer comes when it is on disk, and so is what was written before.
  assert.equal(await second.generate(1, { "idempotency-key": "later" }), 200);
  second.server.kill("SIGKILL");
  await second.server.exit;

  const third = await start();
  const { since, requests, total_tokens, days } = await third.usage();
  assert.equal(since, before.since);
  assert.ok(requests >= 3, `${requests} requests`);
  assert.ok(total_tokens >= used, `${total_tokens} of ${used} tokens`);
  assert.ok(days.reduce((sum, day) => sum + day.total_tokens, 0) >= used);
  await third.server.stop();
});
