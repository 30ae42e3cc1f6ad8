import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { createTokenizer } from "../../tokenizer/tokenizer.js";
import { idsOf, readVocabBpe } from "./gpt2.js";
import { readTokenizer } from "./index.js";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** Ids as tiktoken 1.0.22 of npm gives them. */
const CASES: readonly [string, number[]][] = [
  ["Hello world, it's 2024!", [15496, 995, 11, 340, 338, 48609, 0]],
  [" don't WE'LL   end  ", [836, 470, 12887, 6, 3069, 220, 220, 886, 220, 220]],
  ["🙂\n\n  x\t y", [8582, 25081, 628, 220, 2124, 197, 331]],
  ["<|endoftext|>", [27, 91, 437, 1659, 5239, 91, 29]],
];

/** JSON as Python's json.dumps writes it. */
function dumps(ids: Readonly<Record<string, number>>): string {
  const escaped = (token: string) =>
    JSON.stringify(token).replace(
      /[^ -~]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  return `{${Object.entries(ids)
    .sort(([, a], [, b]) => a - b)
    .map(([token, id]) => `${escaped(token)}: ${id}`)
    .join(", ")}}`;
}

test("merges and ids of GPT-2 are those of OpenAI's files, whose checksums tiktoken holds", async () => {
  const merges = await readVocabBpe();
  assert.equal(sha256(merges), "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5");
  const ids = dumps(idsOf(merges));
  assert.equal(sha256(ids), "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783");
});

test("gpt2 names the tokenizer of those who have no file", async () => {
  const { tokenizerJson, kind, eos, bos } = await readTokenizer("gpt2");
  const tokenizer = createTokenizer(tokenizerJson, {});
  assert.deepEqual(
    { kind, eos, bos, size: tokenizer.size },
    {
      ...{ kind: "vocab-merges", eos: ["<|endoftext|>"], bos: null, size: 50_257 },
    },
  );
  for (const [text, ids] of CASES) {
    assert.deepEqual(tokenizer.encode(text), ids, text);
    assert.equal(tokenizer.decode(ids), text);
  }
});
