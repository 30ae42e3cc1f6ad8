import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { importCheckpoint } from "../../models/import/index.js";
import { createTokenizer } from "../../models/tokenizer/tokenizer.js";
import { writeRandomModel } from "./random-model.js";
import { randomTokenizer } from "./random-tokenizer.js";

const SIZES = { block_size: 32, n_layer: 1, n_head: 2, n_embd: 32 };

async function scratch(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "jai-random-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

test("a random model is imported as any checkpoint is, with a vocabulary of just that size", async (t) => {
  const folder = await scratch(t);
  const made = await writeRandomModel(folder, 700, SIZES);
  const { config, trimmed } = await importCheckpoint({
    ...made,
    precision: "int8",
    out: join(folder, "out"),
  });
  assert.equal(config.vocab_size, 700);
  assert.equal(config.n_embd, 32);
  assert.equal(trimmed, 0);
});

test("the same model is written every time", async (t) => {
  const [first, second] = await Promise.all(
    [await scratch(t), await scratch(t)].map((folder) => writeRandomModel(folder, 300, SIZES)),
  );
  assert.deepEqual(await readFile(first!.checkpoint), await readFile(second!.checkpoint));
});

test("the tokenizer of 24,000 makes a token of a Korean syllable and round-trips any text", () => {
  const tokenizer = createTokenizer(randomTokenizer(24_000), {});
  assert.equal(tokenizer.size, 24_000);
  for (const text of ["서울에서 React 개발자 채용 있어?", "\u0000ÿ🙂 a\tb", "[QUESTION]\n판교\n[/QUESTION]"])
    assert.equal(tokenizer.decode(tokenizer.encode(text)), text);
  assert.equal(tokenizer.encode("개발자").length, 3);
  assert.equal(tokenizer.encode("[QUESTION]").length, 1);
});

for (const vocabulary of [100, 30_000])
  test(`a tokenizer of ${vocabulary} tokens is refused`, () => {
    assert.throws(() => randomTokenizer(vocabulary), /^RangeError: expected at (least|most) \d+ tokens, got/);
  });
