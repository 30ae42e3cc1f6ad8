import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { ServerProcess } from "../../ops/server-process.js";

test("the runtime of a server reports nothing, and leaves nothing in the user's home", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "jai-quiet-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const model = join(folder, "model");
  await writeFixtureModel(model, "int8");
  const home = mkdtempSync(join(folder, "home-"));
  const server = await ServerProcess.ready(model, { HOME: home, XDG_CACHE_HOME: "" });
  const { output } = await server.stop();
  assert.doesNotMatch(output, /telemetry/i);
  assert.deepEqual(readdirSync(home), []);
});
