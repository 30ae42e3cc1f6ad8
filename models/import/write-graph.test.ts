import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { readPrompt } from "../../workers/engine/reader.js";
import { OnnxSession } from "../../workers/onnx/session.js";
import { FIXTURE_SIZES, fixtureConfig, randomWeights, writeFixtureModel } from "../fixtures/model.js";
import { readModelFolder } from "../folder.js";
import { compare } from "../self-test.js";
import { modelShape } from "../shape.js";
import { ImportError } from "./checkpoint/error.js";
import type { ModelWeights } from "./weights.js";
import { type ImportPhase, writeGraph } from "./write-graph.js";

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "jai-graph-"));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
}

/** The same weights with each matrix passed through `change`. */
function changed(weights: ModelWeights, change: (name: string, values: Float32Array) => void): ModelWeights {
  const source = (one: ModelWeights["tokens"]) => ({
    ...one,
    read: async () => {
      const values = await one.read();
      change(one.name, values);
      return values;
    },
  });
  return {
    ...weights,
    tokens: source(weights.tokens),
    positions: weights.positions && source(weights.positions),
    layers: weights.layers.map((layer) => ({
      ...layer,
      qkv: { ...layer.qkv, weight: source(layer.qkv.weight) },
      fc: { ...layer.fc, weight: source(layer.fc.weight) },
    })),
    head: { ...weights.head, weight: source(weights.head.weight) },
  };
}

test("int8 is close to float32, and every phase tells how far it is", async (t) => {
  const weights = randomWeights({ ...FIXTURE_SIZES, width: 64, headDim: 32, hidden: 256 }, 1, 1);
  const dir = folder(t);
  const seen = new Map<ImportPhase, number>();
  const { verification, quality } = await writeGraph(
    dir,
    weights,
    fixtureConfig(weights, "int8"),
    (phase, share) => {
      assert.ok(share > (seen.get(phase) ?? 0) && share <= 1, `${phase} ${share}`);
      seen.set(phase, share);
    },
  );
  assert.ok(verification.difference < 1e-5 * verification.range);
  assert.equal(quality?.verdict, "good");
  assert.ok(quality.kl > 0 && quality.kl < 0.005, `KL ${quality.kl}`);
  assert.ok(quality.sameTop > 0.9 && quality.sameTop <= 1, `same top ${quality.sameTop}`);
  assert.deepEqual(
    [...seen.keys()],
    ["verifying", "preparing", "calibrating", "writing", "comparing", "checking"],
  );
  assert.ok([...seen.values()].every((share) => share === 1));
  assert.deepEqual(readdirSync(dir).sort(), ["onnx", "self_test.json"]);
});

test("int8 weights that lose an output's small weights to a large one are called poor, and written", async (t) => {
  const outliers = changed(randomWeights(), (name, values) => {
    if (name !== "head.weight") return;
    // Each in another column, so that none of these can be evened out.
    const { width } = FIXTURE_SIZES;
    for (let row = 0; row * width < values.length; row++) values[row * width + (row % width)] = 100;
  });
  const { quality } = await writeGraph(folder(t), outliers, fixtureConfig(outliers, "int8"));
  assert.equal(quality?.verdict, "poor");
});

for (const width of [16, 32, 128]) {
  test(`a checkpoint of width ${width} that was never trained is written in int8`, async (t) => {
    const sizes = { ...FIXTURE_SIZES, width, headDim: width / 2, hidden: 4 * width };
    const untrained = randomWeights(sizes, width, 0.02 * Math.sqrt(width));
    const { quality } = await writeGraph(folder(t), untrained, fixtureConfig(untrained, "int8"));
    assert.equal(quality?.verdict, "good");
  });
}

test("a checkpoint of nothing but zeros is written in int8", async (t) => {
  const zeros = changed(randomWeights(), (_, values) => values.fill(0));
  const { verification, quality } = await writeGraph(folder(t), zeros, fixtureConfig(zeros, "int8"));
  assert.equal(verification.difference, 0);
  assert.deepEqual(quality, { kl: 0, sameTop: 1, verdict: "good" });
});

test("a checkpoint that holds no numbers is refused by the model's name", async (t) => {
  const spoilt = changed(randomWeights(), (name, values) => {
    if (name === "tok_emb.weight") values.fill(Number.NaN);
  });
  const dir = folder(t);
  for (const precision of ["int8", "fp32"] as const) {
    const place = join(dir, precision);
    mkdirSync(place);
    await assert.rejects(writeGraph(place, spoilt, fixtureConfig(spoilt, precision)), (error) => {
      assert.ok(error instanceof ImportError, String(error));
      assert.match(
        error.message,
        /^the written model fixture: disagrees with the checkpoint: [^\n]+ of NaN$/,
      );
      return true;
    });
  }
});

test("a graph that the runtime refuses is one line with the model's name, not with a file that is gone", async (t) => {
  const weights = randomWeights();
  const { context, width } = FIXTURE_SIZES;
  const misshapen = { ...weights, positions: { ...weights.positions!, shape: [2 * context, width / 2] } };
  const dir = folder(t);
  for (const precision of ["int8", "fp32"] as const) {
    const place = join(dir, precision);
    mkdirSync(place);
    await assert.rejects(writeGraph(place, misshapen, fixtureConfig(weights, precision)), (error) => {
      assert.ok(error instanceof ImportError, String(error));
      assert.match(error.message, /^the written model fixture: expected a graph that runs, got: [^\n]+$/);
      assert.ok(!error.message.includes(dir), error.message);
      return true;
    });
  }
});

for (const precision of ["int8", "fp32"] as const) {
  test(`a ${precision} model passes its own self-test`, async (t) => {
    const dir = folder(t);
    await writeFixtureModel(dir, precision);
    const { graphPath, config, selfTest } = readModelFolder(dir);
    const shape = modelShape(config);
    const session = await OnnxSession.open(graphPath, shape, { device: "cpu", deviceId: 0, threads: 2 });
    const logits = await readPrompt(session, shape, selfTest!.ids);
    await session.close();
    assert.equal(compare(selfTest!, logits.at(-1)!, precision).verdict, "passed");
  });
}
