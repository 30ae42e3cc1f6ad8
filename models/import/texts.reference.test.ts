// Against the prompts that the codebases' own programs feed to their models.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createTokenizer } from "../tokenizer/tokenizer.js";
import { readModelFolderSource } from "./checkpoint/model-folder-source.js";
import { openStateDict } from "./checkpoint/open-state-dict.js";
import { readModel } from "./families/index.js";
import { readTexts } from "./texts.js";
import { readTokenizer } from "./tokenizer/index.js";

const shared = fileURLToPath(new URL("../../../../shared/models/", import.meta.url));
const skip = existsSync(join(shared, "nanogpt")) ? false : "needs ../shared/models";

/** Each with a flag that it asks for, the tokens that end a text, and where its chat template is from. */
const VARIANTS: readonly (readonly [
  path: string,
  ends: readonly string[],
  template: string,
  heads?: number,
])[] = [
  ["build-nanogpt/dataclass-config", ["<|endoftext|>"], "none"],
  ["hf-gpt-neo/tied-local-bin", ["<|endoftext|>"], "none"],
  ["hf-gpt-neox/parallel-pct25-fp16-padded", ["<|endoftext|>"], "none"],
  ["hf-gpt-neox/sequential-pct100-bin", ["<|endoftext|>"], "none"],
  ["hf-gpt2/tied-safetensors", ["<|endoftext|>"], "none"],
  ["hf-llama/tied-mha-f32-sentencepiece", ["</s>"], "found"],
  ["hf-llama/untied-gqa-bf16-sharded", ["<|end_of_text|>", "<|im_end|>"], "found"],
  ["hf-qwen/qwen3-tied-gqa-headdim", ["<|im_end|>", "<|endoftext|>"], "found"],
  ["litgpt/llama-like", ["<|im_end|>"], "found"],
  ["llama2.c/mha/ckpt.pt", ["</s>"], "none"],
  ["llama2.c/mha/model.bin", ["</s>"], "none"],
  ["llms-from-scratch/gptmodel-noqkvbias", ["<|endoftext|>"], "none", 3],
  ["llms-from-scratch/qwen3-bf16", ["<|endoftext|>"], "none"],
  ["mingpt/chargpt", [], "none"],
  ["minimind/tied-gqa", ["<|im_end|>"], "found"],
  ["nanochat/2025-10-simple", ["<|assistant_end|>", "<|bos|>"], "none"],
  ["nanogpt/bpe-nobias-padded", ["<|endoftext|>"], "none"],
  ["nanogpt/char-bias", [], "none"],
  ["ng-video-lecture/state-dict", [], "none"],
];

for (const [path, ends, template, heads] of VARIANTS)
  test(`${path}: prompts have the ids that its own code feeds`, { skip }, async () => {
    const dir = join(shared, path);
    const folder = existsSync(join(dir, "reference.json")) ? dir : join(dir, "..");
    const { prompts } = JSON.parse(readFileSync(join(folder, "reference.json"), "utf8")) as {
      prompts: { text?: string; ids: number[] }[];
    };
    const source = await readModelFolderSource(dir);
    const state = await openStateDict(source.weights);
    const weights = readModel(state, await source.config(), { heads });
    await weights.close();
    const texts = await readTexts(source, await readTokenizer(source.folder), weights);
    const tokenizer = createTokenizer(JSON.parse(texts.text), {});
    for (const { text, ids } of prompts)
      if (text !== undefined) assert.deepEqual(tokenizer.encode(text), ids, text);
    const { eosIds = [] } = texts.told;
    assert.deepEqual(
      eosIds,
      ends.map((token) => tokenizer.tokenId(token)),
    );
    assert.equal(texts.chatTemplate, template);
  });
