/*
 * The smoke test for every supported version of Node: a checkpoint is imported and served, in processes of the version
 * that runs this file. `on-node.mjs` runs it on each version.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkpoint } from "../../models/fixtures/checkpoint-writer.js";
import { gpt } from "../../models/fixtures/gpt.js";
import { byteTokenizer, FIXTURE_SIZES, writeFixtureModel } from "../../models/fixtures/model.js";
import { ServerProcess } from "../server-process.js";

const cli = fileURLToPath(new URL("../../server/cli.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "jai-smoke-"));
after(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

test("a checkpoint is imported, and its model answers", async (t) => {
  const { vocab } = FIXTURE_SIZES;
  const cfg = { block_size: 32, n_layer: 2, n_head: 2, n_embd: 8, dropout: 0 };
  writeFileSync(at("ckpt.pt"), checkpoint({ cfg, model: gpt({ vocab, layers: 2, context: 32 }) }));
  writeFileSync(at("tokenizer.json"), JSON.stringify(byteTokenizer()));
  const args = [cli, "import", at("ckpt.pt"), "--tokenizer", at("tokenizer.json"), "--out", at("imported")];
  const { status, stderr } = spawnSync(process.execPath, [...args, "--precision", "fp32"], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  const server = await ServerProcess.ready(at("imported"));
  t.after(() => server.stop());
  const { status: answered, text } = await server.request("POST", "/generate", {
    prompt: "ab",
    max_tokens: 4,
  });
  assert.equal(answered, 200, text);
});

test("a server answers, streams, and finishes a running request when it is stopped", async () => {
  await writeFixtureModel(at("model"), "int8");
  const server = await ServerProcess.ready(at("model"));
  const body = { prompt: "ab", max_tokens: 40, seed: 1, ignore_eos: true };

  const health = JSON.parse((await server.request("GET", "/health")).text);
  assert.equal(health.status, "healthy");
  const whole = await server.request("POST", "/chat", body);
  assert.equal(whole.status, 200, whole.text);
  const { generated, usage } = JSON.parse(whole.text);
  assert.equal(usage.completion_tokens, 40);

  // SIGTERM comes in the middle of the stream, which must go on to its end.
  let streamed = "";
  let wasTold = false;
  const { status, text } = await server.stream("/chat", body, ({ event, data }) => {
    if (event !== "message") return;
    streamed += JSON.parse(data).text;
    if (!wasTold) server.kill("SIGTERM");
    wasTold = true;
  });
  assert.equal(status, 200, text);
  assert.equal(streamed, generated);
  const { code, output } = await server.exit;
  assert.equal(code, 0, output);
});
