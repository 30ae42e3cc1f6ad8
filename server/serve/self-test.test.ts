// How a server reacts if this machine can't reproduce the numbers in a model folder's self-test.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { randomWeights, writeFixtureModel } from "../../models/fixtures/model.js";
import { readModelFolder } from "../../models/folder.js";
import {
  renderSelfTest,
  SELF_TEST_FILE,
  type SelfTest,
  type SelfTestResult,
} from "../../models/self-test.js";
import { ServerProcess } from "../../ops/server-process.js";

const folder = mkdtempSync(join(tmpdir(), "jai-self-test-"));
const right = join(folder, "right");
before(() => writeFixtureModel(right, "int8"));
after(() => rmSync(folder, { recursive: true }));

/** A copy of the model folder with another self-test, or none. */
function withSelfTest(name: string, change: (test: SelfTest) => SelfTest | null): string {
  const dir = join(folder, name);
  cpSync(right, dir, { recursive: true });
  const changed = change(readModelFolder(dir).selfTest!);
  if (changed === null) rmSync(join(dir, SELF_TEST_FILE));
  else writeFileSync(join(dir, SELF_TEST_FILE), JSON.stringify(renderSelfTest(changed)));
  return dir;
}

async function served(dir: string): Promise<{ selfTest: SelfTestResult; output: string }> {
  const server = await ServerProcess.ready(dir);
  const { text } = await server.request("GET", "/health");
  const { output } = await server.stop();
  return { selfTest: (JSON.parse(text) as { self_test: SelfTestResult }).self_test, output };
}

test("a model with the right numbers passes, in the log and in /health", async () => {
  const { selfTest, output } = await served(right);
  assert.equal(selfTest.verdict, "passed");
  assert.ok(output.includes(` - INFO - ${selfTest.message}\n`), output);
});

test("an int8 model with wrong numbers gets a warning in one line, and is served", async () => {
  // Every other logit differs from this machine's by more than int8 explains.
  const dir = withSelfTest("off", (test) => ({
    ...test,
    logits: test.logits.map((x, i) => x + (i % 2) * 2),
  }));
  const { selfTest, output } = await served(dir);
  assert.equal(selfTest.verdict, "off");
  assert.ok(output.includes(` - WARNING - ${selfTest.message}\n`), output);
});

test("a folder without a self-test gets a warning, and is served", async () => {
  const { selfTest, output } = await served(withSelfTest("absent", () => null));
  assert.equal(selfTest.verdict, "absent");
  assert.ok(output.includes(` - WARNING - ${selfTest.message}\n`), output);
});

test("another model's graph stops the start with one line", async () => {
  const dir = join(folder, "wrong");
  await writeFixtureModel(dir, "int8", randomWeights(undefined, 2));
  cpSync(join(right, SELF_TEST_FILE), join(dir, SELF_TEST_FILE));
  const { code, output } = await (await ServerProcess.start(["--model", dir])).exit;
  assert.equal(code, 1, output);
  assert.match(
    output,
    /^model folder \S+: self-test: expected the numbers of the model that was imported, got others: /m,
  );
});
