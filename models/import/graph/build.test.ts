import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { blockMaxima } from "../../../workers/engine/sampling/fixtures/rows.js";
import { OnnxSession } from "../../../workers/onnx/session.js";
import type { ModelConfig } from "../../config.js";
import { FIXTURE_SIZES, fixtureConfig, randomWeights } from "../../fixtures/model.js";
import { modelShape } from "../../shape.js";
import type { GptWeights, Linear, Norm, Sizes } from "../checkpoint/weights.js";
import { verify } from "../verify.js";
import { buildGraph } from "./build.js";
import { writeModel } from "./onnx.js";

const folder = mkdtempSync(join(tmpdir(), "jai-graph-"));
after(() => rmSync(folder, { recursive: true }));
let files = 0;

async function write(weights: GptWeights, externalBytes?: number) {
  const config = fixtureConfig(weights.sizes, "fp32");
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

function withoutBiases(weights: GptWeights): GptWeights {
  const bare = <T extends Linear | Norm>(part: T): T => ({ ...part, bias: null });
  return {
    ...weights,
    layers: weights.layers.map((layer) => ({
      ln1: bare(layer.ln1),
      qkv: bare(layer.qkv),
      proj: bare(layer.proj),
      ln2: bare(layer.ln2),
      fc: bare(layer.fc),
      mlpProj: bare(layer.mlpProj),
    })),
    finalNorm: bare(weights.finalNorm),
    head: weights.tokens,
    tied: true,
  };
}

describe("the step graph", () => {
  const sizes: Record<string, Sizes> = {
    "the fixture's sizes": FIXTURE_SIZES,
    "sizes that are multiples of nothing": {
      vocab: 53,
      context: 23,
      layers: 3,
      heads: 3,
      width: 21,
      hidden: 50,
    },
    "one layer, one head, one position": { vocab: 11, context: 1, layers: 1, heads: 1, width: 8, hidden: 32 },
  };
  for (const [name, size] of Object.entries(sizes)) {
    for (const [kind, weights] of [
      ["with biases", randomWeights(size)],
      ["without biases and with a tied head", withoutBiases(randomWeights(size))],
    ] as const) {
      it(`agrees with a plain forward pass: ${name}, ${kind}`, async () => {
        const graph = await write(weights);
        const { difference, range } = await opened(graph, (session) =>
          verify(session, weights, graph.config),
        );
        assert.ok(difference < 1e-5 * range, `${difference} of ${range}`);
      });
    }
  }

  it("is refused when it holds other weights than the checkpoint", async () => {
    const graph = await write(randomWeights(FIXTURE_SIZES, 2));
    await assert.rejects(
      opened(graph, (session) => verify(session, randomWeights(FIXTURE_SIZES, 1), graph.config)),
      /expected logits within .*, got a difference/,
    );
  });

  it("keeps large weights in a file beside it, and gives the same numbers", async () => {
    const weights = randomWeights();
    const graph = await write(weights, 1024);
    const { file, config } = graph;
    assert.ok(statSync(`${file}_data`).size > 4 * FIXTURE_SIZES.vocab * FIXTURE_SIZES.width);
    assert.ok(statSync(file).size < statSync(`${file}_data`).size);
    const { difference, range } = await opened(graph, (session) => verify(session, weights, config));
    assert.ok(difference < 1e-5 * range);
  });

  it("sends only the last row of each sequence through the head", async () => {
    const { layers, heads, width, vocab } = FIXTURE_SIZES;
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
    assert.equal(present.length, 2 * layers * 2 * heads * 16 * (width / heads));
  });
});
