/*
 * Compares tiny checkpoints that other codebases wrote with those codebases' own results. They are not part of the
 * repository: these tests run where they lie beside it, in `../shared/models`.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readPrompt } from "../../../workers/engine/reader.js";
import { OnnxSession } from "../../../workers/onnx/session.js";
import { fixtureConfig } from "../../fixtures/model.js";
import { modelShape } from "../../shape.js";
import { readModelFolderSource } from "../checkpoint/model-folder-source.js";
import { openStateDict } from "../checkpoint/open-state-dict.js";
import { buildGraph } from "../graph/build.js";
import { writeModel } from "../graph/onnx.js";
import { firstRows } from "../rearranged.js";
import type { Asked } from "./family.js";
import { readModel } from "./index.js";

interface Reference {
  context: number;
  /** Rows of the vocabulary, and those of them for which there is a token. */
  vocab: number;
  tokens?: number;
  prompts: { ids: number[]; top5: [id: number, logit: number][]; greedy: number[] }[];
  logits_of_prompt_1: number[];
}

const shared = fileURLToPath(new URL("../../../../../shared/models/", import.meta.url));
const skip = existsSync(join(shared, "nanogpt")) ? false : "needs ../shared/models";
const folder = mkdtempSync(join(tmpdir(), "jai-families-"));
after(() => rmSync(folder, { recursive: true }));

/** Rounding alone, of logits that range over some 15. */
const TOLERANCE = 1e-4;

const VARIANTS: readonly (readonly [path: string, asked?: Asked])[] = [
  ["build-nanogpt/dataclass-config"],
  ["hf-gpt-neo/tied-local-bin"],
  ["hf-gpt-neox/parallel-pct25-fp16-padded"],
  ["hf-gpt-neox/sequential-pct100-bin"],
  ["hf-gpt2/tied-safetensors"],
  ["hf-llama/tied-mha-f32-sentencepiece"],
  ["hf-llama/untied-gqa-bf16-sharded"],
  ["hf-qwen/qwen3-tied-gqa-headdim"],
  ["litgpt/llama-like"],
  ["llama2.c/mha/ckpt.pt"],
  ["llama2.c/mha/model.bin"],
  ["llms-from-scratch/gptmodel-noqkvbias", { heads: 3 }],
  ["llms-from-scratch/qwen3-bf16"],
  ["mingpt/chargpt"],
  ["minimind/tied-gqa"],
  ["nanochat/2025-10-simple"],
  ["nanogpt/bpe-nobias-padded"],
  ["nanogpt/char-bias"],
  ["ng-video-lecture/state-dict"],
];

for (const [path, asked = {}] of VARIANTS)
  test(`${path} gives the logits and greedy tokens of its own code`, { skip }, async () => {
    const dir = join(shared, path);
    const file = path.endsWith("ckpt.pt") || path.endsWith(".bin") ? join(dir, "..") : dir;
    const reference = JSON.parse(readFileSync(join(file, "reference.json"), "utf8")) as Reference;
    const source = await readModelFolderSource(dir);
    const state = await openStateDict(source.weights);
    const read = readModel(state, await source.config(), asked);
    const { vocab: padded, tokens: vocab = padded } = reference;
    // Without the padding of the vocabulary, which no text has.
    const rows = <T extends typeof read.tokens>(weight: T) => firstRows(weight, vocab);
    const { head } = read;
    const weights = {
      ...read,
      sizes: { ...read.sizes, vocab },
      tokens: rows(read.tokens),
      head: { weight: rows(head.weight), bias: head.bias && rows(head.bias) },
    };
    const config = fixtureConfig(weights, "fp32");
    const graph = join(folder, `${path.replaceAll("/", "-")}.onnx`);
    await writeModel(graph, buildGraph(weights, config), () => {});
    await weights.close();
    const shape = modelShape(config);
    const session = await OnnxSession.open(graph, shape, { device: "cpu", deviceId: 0, threads: 1 });
    const next = async (ids: readonly number[]) =>
      (await readPrompt(session, shape, Int32Array.from(ids))).at(-1)!;
    const assertNear = (actual: number, expected: number) =>
      assert.ok(Math.abs(actual - expected) < TOLERANCE, `${actual} is not ${expected}`);
    try {
      for (const [index, { ids, top5, greedy }] of reference.prompts.entries()) {
        const text = [...ids];
        for (const [step, token] of greedy.entries()) {
          if (text.length > reference.context) break;
          const logits = await next(text);
          if (step === 0) {
            for (const [id, logit] of top5) if (id < vocab) assertNear(logits[id]!, logit);
            if (index === 1)
              for (const [id, logit] of reference.logits_of_prompt_1.slice(0, vocab).entries())
                assertNear(logits[id]!, logit);
          }
          assert.equal(logits.indexOf(Math.max(...logits)), token);
          text.push(token);
        }
      }
    } finally {
      await session.close();
    }
  });

test("nanochat of 2026 is refused by the name of a part that this server does not compute", {
  skip,
}, async () => {
  const source = await readModelFolderSource(join(shared, "nanochat/2026-07-current"));
  const state = await openStateDict(source.weights);
  const config = await source.config();
  try {
    assert.throws(
      () => readModel(state, config, {}),
      /expected nanochat's model of 2025, got a later one: "smear_gate\.weight" is a part that/,
    );
  } finally {
    await state.close();
  }
});
