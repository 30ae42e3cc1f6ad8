/*
 * Compares a real checkpoint with PyTorch's results for it. The files are too large for the repository: these tests
 * run where they lie beside it, in `../shared/jai`.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { randomCases } from "../../ops/random-cases.js";
import { KvCache } from "../../workers/engine/cache/kv-cache.js";
import { Engine } from "../../workers/engine/engine.js";
import { Reader } from "../../workers/engine/reader.js";
import { PLAIN_SAMPLING } from "../../workers/engine/sampling/sampling.js";
import { Sequence } from "../../workers/engine/sequence.js";
import { OnnxSession } from "../../workers/onnx/session.js";
import type { FromSequence } from "../../workers/protocol.js";
import { type ModelFolder, readModelFolder } from "../folder.js";
import { modelShape } from "../shape.js";
import { importCheckpoint } from "./index.js";
import { divergence, top } from "./judge.js";

interface Reference {
  cases: {
    prompt: string;
    ids: number[];
    first_top5: { ids: number[]; logits: number[] };
    greedy_ids: number[];
    greedy_text: string;
  }[];
}

const shared = fileURLToPath(new URL("../../../../shared/jai/", import.meta.url));
const skip = existsSync(join(shared, "ckpt.pt")) ? false : "needs ../shared/jai";

const WINDOWS = randomCases(6, 16);

describe("the shared checkpoint", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "jai-reference-"));
  after(() => rmSync(folder, { recursive: true }));
  const { cases } = JSON.parse(
    skip ? '{"cases":[]}' : readFileSync(join(shared, "reference.json"), "utf8"),
  ) as Reference;
  const models = {} as Record<"fp32" | "int8", { model: ModelFolder; session: OnnxSession }>;

  before(async () => {
    for (const precision of ["fp32", "int8"] as const) {
      const out = join(folder, precision);
      await importCheckpoint({
        checkpoint: join(shared, "ckpt.pt"),
        tokenizer: join(shared, "tokenizer.json"),
        out,
        precision,
      });
      const model = readModelFolder(out);
      const session = await OnnxSession.open(model.graphPath, modelShape(model.config), {
        device: "cpu",
        deviceId: 0,
        threads: 1,
      });
      models[precision] = { model, session };
    }
  });
  after(() => Promise.all(Object.values(models).map(({ session }) => session.close())));

  /** Greedy ids and texts of all the cases with these indices, run at once, as the old server slid its window. */
  async function generate(indices: number[]) {
    const { model, session } = models.fp32;
    const shape = modelShape(model.config);
    const engine = new Engine(session, new KvCache(shape, indices.length), shape.vocabulary);
    const sequences = indices.map((index) => {
      const promptIds = model.tokenizer.encode(cases[index]!.prompt);
      let sequence!: Sequence;
      const outcome = new Promise<FromSequence>((onEnd) => {
        sequence = new Sequence({
          promptIds,
          maxTokens: cases[index]!.greedy_ids.length,
          sampling: { ...PLAIN_SAMPLING, temperature: 0, topK: 50, seed: [0, 0] },
          stop: [],
          eosIds: [],
          context: shape.context,
          contextStride: 1,
          decoder: model.tokenizer,
          onEnd,
        });
      });
      engine.add(sequence);
      return { sequence, outcome, promptIds };
    });
    await engine.run();
    return Promise.all(
      sequences.map(async ({ sequence, outcome, promptIds }) => {
        const end = (await outcome) as Extract<FromSequence, { type: "finished" }>;
        return { promptIds, ids: sequence.ids.slice(promptIds.length), text: end.generated };
      }),
    );
  }

  it("gives PyTorch's greedy ids and texts in fp32, one case at a time", async () => {
    const step = randomCases(5, 1);
    for (let index = 0; index < cases.length; index += step) {
      const { ids, greedy_ids, greedy_text } = cases[index]!;
      const [result] = await generate([index]);
      assert.deepEqual(result, { promptIds: ids, ids: greedy_ids, text: greedy_text });
    }
  });

  it("gives them too with many cases at once", async () => {
    // The last but one is longer than the window, which slides at each of its tokens.
    const some = cases.filter((_, index) => index % randomCases(4, 1) === 0);
    const results = await generate(some.map((one) => cases.indexOf(one)));
    assert.deepEqual(
      results,
      some.map(({ ids, greedy_ids, greedy_text }) => ({
        promptIds: ids,
        ids: greedy_ids,
        text: greedy_text,
      })),
    );
  });

  it("has PyTorch's first logits in fp32", async () => {
    for (const { ids, first_top5 } of cases) {
      const window = ids.slice(-models.fp32.model.config.n_positions);
      const logits = (await logitRows(models.fp32, window)).at(-1);
      for (const [i, id] of first_top5.ids.entries()) {
        assert.ok(Math.abs(logits![id]! - first_top5.logits[i]!) < 1e-3);
      }
    }
  });

  it(`is close to float32 in int8, over ${WINDOWS} windows of its training text`, async (t) => {
    const { tokenizer, config } = models.fp32.model;
    const ids = tokenizer.encode(readFileSync(join(shared, "samples.txt"), "utf8"));
    const windows = Math.floor(ids.length / config.n_positions);
    const loss = { fp32: 0, int8: 0 };
    let [kl, same] = [0, 0];
    for (let window = 0; window < WINDOWS; window++) {
      const first = Math.floor((window * windows) / WINDOWS) * config.n_positions;
      const part = ids.slice(first, first + config.n_positions);
      const rows = Array.from({ length: part.length - 1 }, (_, i) => i);
      const [original, quantized] = [await logitRows(models.fp32, part), await logitRows(models.int8, part)];
      for (const i of rows) {
        loss.fp32 += negativeLogLikelihood(original[i]!, part[i + 1]!);
        loss.int8 += negativeLogLikelihood(quantized[i]!, part[i + 1]!);
        kl += divergence(original[i]!, quantized[i]!);
        if (top(original[i]!) === top(quantized[i]!)) same++;
      }
    }
    const predictions = WINDOWS * (config.n_positions - 1);
    const [perplexity, ratio] = [
      Math.exp(loss.fp32 / predictions),
      Math.exp((loss.int8 - loss.fp32) / predictions),
    ];
    t.diagnostic(
      `KL ${(kl / predictions).toExponential(2)}, perplexity ${perplexity} in float32, times ${ratio} in int8, ${same} of ${predictions} same top tokens`,
    );
    assert.ok(perplexity < 5, "not even float32 predicts its own training text");
    assert.ok(Math.abs(ratio - 1) < 0.001, `perplexity ratio ${ratio}`);
    assert.ok(kl / predictions <= 2e-4, `KL ${kl / predictions}`);
    assert.ok(same / predictions >= 0.985, `${same} of ${predictions}`);
  });
});

/** Logits after each id, from one run. */
async function logitRows(
  { model, session }: { model: ModelFolder; session: OnnxSession },
  ids: readonly number[],
): Promise<Float32Array[]> {
  const shape = modelShape(model.config);
  const { logits } = await new Reader(session, shape, 1).read(Int32Array.from(ids), ids.length);
  return ids.map((_, i) => logits.subarray(i * shape.vocabulary, (i + 1) * shape.vocabulary));
}

function negativeLogLikelihood(logits: Float32Array, id: number): number {
  const maximum = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - maximum), 0);
  return maximum + Math.log(total) - logits[id]!;
}
