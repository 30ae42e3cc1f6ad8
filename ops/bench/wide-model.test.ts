import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkpoint } from "../../models/fixtures/checkpoint-writer.js";
import { gpt } from "../../models/fixtures/gpt.js";
import { byteTokenizer, FIXTURE_SPECIALS } from "../../models/fixtures/model.js";
import { importCheckpoint } from "../../models/import/index.js";
import { createTokenizer } from "../../models/tokenizer/tokenizer.js";
import { writeWideModel } from "./wide-model.js";

test("a wide model has the requested vocabulary, gives texts the same tokens as before, and can be imported", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "jai-wide-"));
  t.after(() => rm(folder, { recursive: true }));
  const given = { checkpoint: join(folder, "given.pt"), tokenizer: join(folder, "given.json") };
  const sizes = { vocab: 256 + FIXTURE_SPECIALS.length, context: 32, layers: 1, width: 32 };
  const cfg = { block_size: 32, n_layer: 1, n_head: 2, n_embd: 32 };
  await writeFile(given.checkpoint, checkpoint({ model: gpt({ ...sizes, bias: false }), step: 0, cfg }));
  await writeFile(given.tokenizer, JSON.stringify(byteTokenizer()));

  const wide = await writeWideModel(given, 700, folder);
  const { config } = await importCheckpoint({ ...wide, precision: "int8", out: join(folder, "out") });
  assert.equal(config.vocab_size, 700);
  assert.deepEqual([config.n_embd, config.n_head, config.n_layer], [32, 2, 1]);
  const tokenizer = createTokenizer(JSON.parse(await readFile(wide.tokenizer, "utf8")), {});
  const text = "[QUESTION]\n판교 🙂\n[/QUESTION]";
  assert.deepEqual(tokenizer.encode(text), createTokenizer(byteTokenizer(), {}).encode(text));
  assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
});
