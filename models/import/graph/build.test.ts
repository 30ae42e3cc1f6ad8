import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { blockMaxima } from "../../../workers/engine/sampling/fixtures/rows.js";
import { OnnxSession } from "../../../workers/onnx/session.js";
import { type Architecture, GPT, type RotaryScaling } from "../../architecture.js";
import type { ModelConfig } from "../../config.js";
import { FIXTURE_SIZES, fixtureConfig, randomWeights } from "../../fixtures/model.js";
import { modelShape } from "../../shape.js";
import { predict, verify } from "../verify.js";
import type { Linear, ModelWeights, Norm, Sizes } from "../weights.js";
import { buildGraph } from "./build.js";
import { writeModel } from "./onnx.js";

const folder = mkdtempSync(join(tmpdir(), "jai-graph-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

async function write(weights: ModelWeights, externalBytes?: number) {
  const config = fixtureConfig(weights, "fp32");
  const file = join(folder, `${files++}.onnx`);
  await writeModel(file, buildGraph(weights, config), () => {}, externalBytes);
  return { file, config };
}

async function opened<T>(
  { file, config }: { file: string; config: ModelConfig },
  work: (session: OnnxSession) => Promise<T>,
): Promise<T> {
  const session = await OnnxSession.open(file, modelShape(config), {
    device: "cpu",
    deviceId: 0,
    threads: 1,
  });
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

const verified = async (session: OnnxSession, weights: ModelWeights, config: ModelConfig) =>
  verify(session, config, await predict(weights));

function withoutBiases(weights: ModelWeights): ModelWeights {
  const bare = <T extends Linear | Norm>(part: T): T => ({ ...part, bias: null });
  return {
    ...weights,
    layers: weights.layers.map((layer) => ({
      ...layer,
      ln1: bare(layer.ln1),
      qkv: bare(layer.qkv),
      proj: bare(layer.proj),
      ln2: bare(layer.ln2),
      fc: bare(layer.fc),
      mlpProj: bare(layer.mlpProj),
    })),
    finalNorm: bare(weights.finalNorm),
    head: { weight: weights.tokens, bias: null },
    tied: true,
  };
}

function withoutNormWeights(weights: ModelWeights): ModelWeights {
  const bare: Norm = { weight: null, bias: null };
  const layers = weights.layers.map((layer) => ({
    ...layer,
    ...{ ln1: bare, ln2: bare },
    ...(layer.qNorm && { qNorm: bare, kNorm: bare }),
  }));
  return { ...weights, layers, finalNorm: bare };
}

function headWithBias({ head, sizes }: ModelWeights): Pick<ModelWeights, "head"> {
  const read = async () => Float32Array.from({ length: sizes.vocab }, (_, token) => (token % 7) / 10);
  return { head: { ...head, bias: { name: "head.bias", shape: [sizes.vocab], read } } };
}

describe("the step graph", () => {
  const sizes: Record<string, Sizes> = {
    "the fixture's sizes": FIXTURE_SIZES,
    "sizes that are multiples of nothing": {
      vocab: 53,
      context: 23,
      layers: 3,
      heads: 3,
      kvHeads: 3,
      headDim: 7,
      width: 21,
      hidden: 50,
    },
    "one layer, one head, one position": {
      vocab: 11,
      context: 1,
      layers: 1,
      heads: 1,
      kvHeads: 1,
      headDim: 8,
      width: 8,
      hidden: 32,
    },
  };
  for (const [name, size] of Object.entries(sizes)) {
    for (const [kind, weights] of [
      ["with biases", randomWeights(size)],
      ["without biases and with a tied head", withoutBiases(randomWeights(size))],
    ] as const) {
      it(`agrees with a plain forward pass: ${name}, ${kind}`, async () => {
        const graph = await write(weights);
        const { difference, range } = await opened(graph, (session) =>
          verified(session, weights, graph.config),
        );
        assert.ok(difference < 1e-5 * range, `${difference} of ${range}`);
      });
    }
  }

  const rotary = { dim: 8, theta: 10_000, scaling: null, precision: "float32" } as const;
  const llama: Architecture = { ...GPT, norm: "rmsnorm", rotary, activation: "silu", gated_mlp: true };
  const shared = { heads: 6, kvHeads: 2, headDim: 8 };
  const scaling: RotaryScaling = {
    type: "llama3",
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 16,
  };
  const architectures: Record<string, [Architecture, Partial<Sizes>?]> = {
    "GELU by tanh": [{ ...GPT, activation: "gelu_tanh" }],
    ReLU: [{ ...GPT, activation: "relu" }],
    "positions that turn queries and keys": [{ ...GPT, rotary }, { headDim: 8 }],
    "a part of each head that turns": [{ ...GPT, rotary, parallel_residual: true }],
    "angles that are scaled": [
      { ...llama, rotary: { ...rotary, scaling: { type: "linear", factor: 4 } } },
      shared,
    ],
    "angles that are scaled as Llama 3's": [{ ...llama, rotary: { ...rotary, scaling } }, shared],
    "RMSNorm and a gate": [llama, { headDim: 8 }],
    "keys and values that heads share": [llama, shared],
    "queries and keys that are normalized": [{ ...llama, qk_norm: "before_rotation" }, shared],
    "queries and keys that are normalized after they were turned": [
      { ...llama, qk_norm: "after_rotation", rotary: { ...rotary, precision: "bfloat16" } },
      shared,
    ],
    "one head of keys, heads wider than the stream": [
      { ...llama, qk_norm: "before_rotation" },
      { heads: 3, kvHeads: 1 },
    ],
    "windows in some layers": [{ ...llama, sliding_window: [5, null] }, shared],
    "a window as wide as the context": [{ ...GPT, sliding_window: [FIXTURE_SIZES.context, 1] }],
    "squared ReLU, normalized embeddings and capped logits": [
      { ...llama, activation: "relu2", gated_mlp: false, embedding_norm: true, final_logit_softcapping: 2 },
      shared,
    ],
  };
  for (const [name, [architecture, sizes]] of Object.entries(architectures)) {
    const weights = randomWeights({ ...FIXTURE_SIZES, ...sizes }, 3, 2, architecture);
    for (const [kind, some] of [
      ["all weights", weights],
      [
        "norms without weights, and a head with a bias",
        { ...withoutNormWeights(weights), ...headWithBias(weights) },
      ],
    ] as const)
      it(`agrees with a plain forward pass: ${name}, ${kind}`, async () => {
        const { difference, range } = await opened(await write(some), (session) =>
          verified(session, some, fixtureConfig(some, "fp32")),
        );
        assert.ok(difference < 1e-5 * range, `${difference} of ${range}`);
      });
  }

  it("is refused when it holds other weights than the checkpoint", async () => {
    const graph = await write(randomWeights(FIXTURE_SIZES, 2));
    await assert.rejects(
      opened(graph, (session) => verified(session, randomWeights(FIXTURE_SIZES, 1), graph.config)),
      /expected logits within .*, got a difference/,
    );
  });

  it("keeps large weights in a file beside it, and gives the same numbers", async () => {
    const weights = randomWeights();
    const graph = await write(weights, 1024);
    const { file, config } = graph;
    assert.ok(statSync(`${file}_data`).size > 4 * FIXTURE_SIZES.vocab * FIXTURE_SIZES.width);
    assert.ok(statSync(file).size < statSync(`${file}_data`).size);
    const { difference, range } = await opened(graph, (session) => verified(session, weights, config));
    assert.ok(difference < 1e-5 * range);
  });

  it("sends only the last row of each sequence through the head", async () => {
    const { layers, kvHeads, headDim, vocab } = FIXTURE_SIZES;
    const { logits, maxima, present } = await opened(await write(randomWeights()), (session) =>
      session.run({
        batch: 2,
        chunk: 16,
        capacity: 0,
        inputIds: new Int32Array(32),
        pastLengths: new Int32Array(2),
        lastRows: Int32Array.of(3, 31),
        past: Array.from({ length: 2 * layers }, () => new Float32Array(0)),
      }),
    );
    assert.equal(logits.length, 2 * vocab);
    assert.deepEqual(maxima, blockMaxima(logits, 2));
    for (const rows of [present.keys, present.values])
      assert.equal(rows.length, layers * 2 * kvHeads * 16 * headDim);
  });
});
