import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkpoint } from "../../models/fixtures/checkpoint-writer.js";
import { gpt } from "../../models/fixtures/gpt.js";
import { byteTokenizer, FIXTURE_SIZES } from "../../models/fixtures/model.js";
import { type ImportOptions, type ImportPhase, importCheckpoint } from "./index.js";

test("a checkpoint is imported as int8 by default, and its quality and progress are reported", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "jai-library-import-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const at = (name: string) => join(folder, name);
  const { vocab } = FIXTURE_SIZES;
  const cfg = { block_size: 6, n_layer: 1, n_head: 2, n_embd: 8, dropout: 0 };
  writeFileSync(at("ckpt.pt"), checkpoint({ cfg, model: gpt({ vocab, layers: 1 }) }));
  writeFileSync(at("tokenizer.json"), JSON.stringify(byteTokenizer()));
  const phases = new Set<ImportPhase>();
  const { config, quality } = await importCheckpoint({
    checkpoint: at("ckpt.pt"),
    tokenizer: at("tokenizer.json"),
    out: at("mine"),
    onProgress: (phase) => void phases.add(phase),
  });
  assert.deepEqual([config.name, config.precision, config.vocab_size], ["mine", "int8", vocab]);
  assert.ok(quality !== null && quality.kl >= 0);
  assert.deepEqual(
    [...phases],
    ["verifying", "preparing", "calibrating", "writing", "comparing", "checking"],
  );
});

test("a wrong import option is refused in one line that names it", async () => {
  const right = { checkpoint: "ckpt.pt", tokenizer: "tokenizer.json", out: "mine" };
  const cases: [object, RegExp][] = [
    [{ checkpoint: undefined }, /^checkpoint: expected a file's path, got nothing$/],
    [{ out: "" }, /^out: expected a folder's path, got ""$/],
    [{ precision: "int4" }, /^precision: expected int8 or fp32, got "int4"$/],
    [{ heads: 1.5 }, /^heads: expected a positive integer, got 1.5$/],
    [{ onProgress: true }, /^onProgress: expected a function, got true$/],
    [{ token: "x" }, /^unknown option "token": expected one of checkpoint, /],
  ];
  for (const [wrong, message] of cases)
    await assert.rejects(importCheckpoint({ ...right, ...wrong } as ImportOptions), { message });
});
