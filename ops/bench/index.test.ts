import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { UsageError } from "../../server/settings/args.js";
import { run } from "./index.js";
import { OURS, type Results } from "./results/results.js";
import { TOO_SLOW } from "./steps/open.js";

for (const args of [
  ["--nope"],
  ["folder"],
  ["--clients"],
  ["--clients", "1,x"],
  ["--tokens", "0"],
  ["--seconds", "-1"],
  ["--only", "engine,nothing"],
  ["--only", "open"],
  ["--checkpoint", "ckpt.pt"],
  ["--checkpoint", "ckpt.pt", "--tokenizer", "t.json", "--model", "folder"],
  ["--peers"],
  ["--llama-server", "/usr/bin/llama-server"],
  ["--quick", "--full"],
])
  test(`"jai bench ${args.join(" ")}" is wrong usage`, async () => {
    await assert.rejects(run(args), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, /^[^\n]+$/);
      return true;
    });
  });

test("a complete run on a tiny model writes its results", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "jai-bench-test-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const [model, out] = [join(folder, "model"), join(folder, "out")];
  await writeFixtureModel(model, "int8");
  const written: string[] = [];
  t.mock.method(process.stdout, "write", (text: string) => written.push(text) > 0);
  t.mock.method(process.stderr, "write", () => true);
  await run(`--model ${model} --out ${out} --clients 1,2 --tokens 4 --repeats 1 --seconds 0.1`.split(" "));
  t.mock.restoreAll();

  const results = JSON.parse(readFileSync(join(out, "results.json"), "utf8")) as Results;
  // On a busy machine an open loop may be impossible, which the results then report.
  const slow = results.problems.filter(({ reason }) => reason.startsWith(TOO_SLOW));
  assert.deepEqual(results.problems, slow);
  assert.ok(results.open.length + slow.length > 0);
  assert.ok(results.finished);
  for (const kind of ["decode", "prefill", "reuse", "alone"] as const)
    assert.ok(results[kind].length > 0, kind);
  for (const clients of [1, 2]) {
    const row = results.closed.find((one) => one.system === OURS && one.clients === clients && !one.stream);
    assert.ok(row && row.tokensPerSecond > 0 && row.requests >= clients, `${clients} clients`);
  }
  assert.ok(results.decode.every(({ step, native }) => step >= native && native > 0));
  assert.ok(readFileSync(join(out, "results.svg"), "utf8").includes("<polyline"));
  assert.ok(readFileSync(join(out, "RESULTS.md"), "utf8").includes("## Serving"));
  assert.ok(written.join("").includes("tokens per second over HTTP"));
});
