// Against what the projects' own tokenizers say of the same texts.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createTokenizer } from "../../tokenizer/tokenizer.js";
import { readTokenizer } from "./index.js";

const shared = fileURLToPath(new URL("../../../../../shared/models/", import.meta.url));
const skip = !existsSync(shared) && "needs ../shared/models";

interface Case {
  text: string;
  ids: number[];
  decoded?: string;
}

interface Prompt {
  text?: string;
  ids: number[];
  greedy: number[];
  greedy_text?: string;
}

const FORMATS =
  /^(?:tokenizer\.(?:json|pkl)|meta\.pkl|input\.txt|.*\.tiktoken|vocab\.(?:json|bpe)|encoder\.json|merges\.txt|tok\d+\.model)$/;

/** Each tokenizer, in each of its formats, and where its cases are. */
function* variants(): Generator<[name: string, file: string, cases: Case[]]> {
  const read = (file: string) =>
    existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")).cases as Case[]) : [];
  const alone = join(shared, "tokenizers-sentencepiece");
  for (const name of readdirSync(alone).filter((one) => one.endsWith(".model")))
    yield [name, join(alone, name), read(join(alone, name.replace(/model$/, "cases.json")))];
  for (const family of readdirSync(shared))
    for (const variant of readdirSync(join(shared, family), { withFileTypes: true })) {
      if (!variant.isDirectory()) continue;
      const folder = join(shared, family, variant.name);
      const cases = read(join(folder, "tokenizer_cases.json"));
      for (const name of readdirSync(folder).filter((one) => FORMATS.test(one)))
        yield [`${family}/${variant.name}/${name}`, join(folder, name), cases];
    }
}

if (skip) test("the reference tokenizers", { skip });
else
  for (const [name, file, cases] of variants())
    test(`${name}: ids and texts as the original's`, async () => {
      const { tokenizerJson, bos } = await readTokenizer(file);
      // The cases are without what a post-processor adds.
      const tokenizer = createTokenizer({ ...tokenizerJson, post_processor: null }, {});
      for (const { text, ids, decoded = text } of cases) {
        assert.deepEqual(tokenizer.encode(text), ids, JSON.stringify(text));
        if (name.includes("hf-") || name.includes("minimind")) continue;
        assert.equal(tokenizer.decode(ids), decoded);
      }
      const reference = join(file, "../reference.json");
      if (!existsSync(reference)) return;
      const { prompts = [] } = JSON.parse(readFileSync(reference, "utf8")) as { prompts?: Prompt[] };
      for (const { text, ids, greedy, greedy_text } of prompts) {
        if (greedy_text !== undefined) assert.equal(tokenizer.decode(greedy), greedy_text);
        if (text === undefined) continue;
        // Some families begin each prompt with a token that the text doesn't have.
        const first = bos !== null && ids[0] === tokenizer.tokenId(bos) ? ids.slice(1) : ids;
        assert.ok(
          [ids, first, ids.slice(1)].some((one) => one.join() === tokenizer.encode(text).join()),
          text,
        );
      }
    });
