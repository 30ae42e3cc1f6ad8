import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { randomWeights, writeFixtureModel } from "../fixture.js";
import { readModelFolder } from "../folder.js";
import { ImportError } from "./error.js";
import { verify } from "./verify.js";

async function written(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "jai-verify-"));
  t.after(() => rmSync(dir, { recursive: true }));
  await writeFixtureModel(dir, "fp32");
  return readModelFolder(dir);
}

/** The folder that is named to `verify` is gone by the time that its message is read. */
async function refuses(work: Promise<unknown>, dir: string, expected: RegExp): Promise<void> {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof ImportError, String(error));
    assert.match(error.message, expected);
    assert.ok(!error.message.includes(dir), error.message);
    return true;
  });
}

test("a model that computes what the checkpoint says is accepted", async (t) => {
  const { graphPath, config } = await written(t);
  const { difference, range } = await verify(graphPath, randomWeights(), config);
  assert.ok(difference < 1e-3 * range);
});

test("a model that computes something else is refused by its name", async (t) => {
  const { dir, graphPath, config } = await written(t);
  await refuses(
    verify(graphPath, randomWeights(undefined, 2), config),
    dir,
    /^the written model fixture: disagrees with the checkpoint: expected logits within \S+, got a difference of \S+$/,
  );
});

test("a graph that the runtime refuses is one line with the model's name", async (t) => {
  const { dir, graphPath, config } = await written(t);
  writeFileSync(graphPath, "no graph");
  await refuses(
    verify(graphPath, randomWeights(), config),
    dir,
    /^the written model fixture: expected a graph that runs, got: [^\n]+$/,
  );
});
