import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { OnnxSession } from "../../workers/onnx/session.js";
import { type Activation, GPT } from "../architecture.js";
import { FIXTURE_SIZES, fixtureConfig, randomWeights, rotaryWeights } from "../fixtures/model.js";
import { modelShape } from "../shape.js";
import { type Channels, calibrate } from "./calibrate.js";
import { equalize } from "./equalize.js";
import { forward } from "./forward/forward.js";
import { buildObservedGraph } from "./graph/build.js";
import { writeModel } from "./graph/onnx.js";
import { columnsTimes, rowsTimes } from "./rearranged.js";
import { type ModelWeights, productsOf } from "./weights.js";
import { writeGraph } from "./write-graph.js";

const plain = (activation: Activation) => randomWeights(FIXTURE_SIZES, 1, 2, { ...GPT, activation });

/** Models whose MLPs let a factor through each in another way, or not at all, and one whose heads share values. */
const models: Record<string, ModelWeights> = {
  "a gate, shared values and norms without biases": rotaryWeights(),
  "an MLP of GELU": plain("gelu"),
  "an MLP of ReLU": plain("relu"),
  "an MLP of squared ReLU": plain("relu2"),
};

/** Its inputs' columns, on texts that it writes. */
async function observe(t: TestContext, weights: ModelWeights): Promise<readonly Channels[]> {
  const dir = mkdtempSync(join(tmpdir(), "jai-equalize-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const config = fixtureConfig(weights, "fp32");
  const file = join(dir, "model.onnx");
  await writeModel(file, buildObservedGraph(weights, config));
  const shape = modelShape(config);
  const session = await OnnxSession.open(file, shape, {
    device: "cpu",
    deviceId: 0,
    threads: 1,
    spin: false,
  });
  try {
    const columns = [
      ...productsOf(weights).map(({ weight }) => weight.shape[1]!),
      ...weights.layers.map(({ qkv }) => qkv.weight.shape[0]!),
    ];
    return (await calibrate(session, shape, columns)).observed;
  } finally {
    await session.close();
  }
}

for (const [name, weights] of Object.entries(models)) {
  test(`a model with ${name} computes the same after it, from inputs of the ranges that it tells`, async (t) => {
    const { weights: even, ranges, heads } = await equalize(weights, await observe(t, weights));
    const ids = [1, 200, 30, 7, 99];
    const [expected, actual] = [await forward(weights, ids, 5), await forward(even, ids, 5)];
    for (const [row, logits] of expected.entries())
      for (const [i, logit] of logits.entries()) assert.ok(Math.abs(logit - actual[row]![i]!) < 1e-4);
    const seen = await observe(t, even);
    assert.equal(ranges.length, productsOf(weights).length);
    for (const [product, { least, greatest }] of seen.slice(0, ranges.length).entries()) {
      const [low, high] = ranges[product]!;
      const close = 1e-3 * (high - low);
      assert.ok(Math.abs(low - Math.min(...least)) < close, `product ${product}`);
      assert.ok(Math.abs(high - Math.max(...greatest)) < close, `product ${product}`);
    }
    assert.equal(heads.length, weights.layers.length);
    for (const [layer, { greatest }] of seen.slice(ranges.length).entries())
      for (const [column, end] of greatest.entries())
        assert.ok(Math.abs(heads[layer]!.greatest[column]! - end) < 1e-3, `layer ${layer}, column ${column}`);
  });
}

test("a channel whose factor leaves the bounds is divided by the greatest that there is", async (t) => {
  const weights = plain("relu2");
  /** Squared, the greatest are 1e12 times, and 1e24 times, as great as others. */
  const tenTo = (row: number) => 10 ** ((row % 13) - 6);
  const spread: ModelWeights = {
    ...weights,
    layers: weights.layers.map((layer) => {
      const factors = Float32Array.from({ length: weights.sizes.hidden }, (_, row) => tenTo(row));
      return { ...layer, fc: { ...layer.fc, weight: rowsTimes(layer.fc.weight, factors) } };
    }),
  };
  const observed = await observe(t, spread);
  const { ranges } = await equalize(spread, observed);
  // Of the second product of the first MLP.
  assert.ok(ranges[3]![1] < 1e-3 * Math.max(...observed[3]!.greatest));
});

test("a channel far greater than the others costs an int8 model nothing", async (t) => {
  const weights = rotaryWeights();
  const spike = (height: number) =>
    Float32Array.from({ length: weights.sizes.width }, (_, channel) => (channel === 3 ? height : 1));
  const spiked: ModelWeights = {
    ...weights,
    layers: weights.layers.map((layer) => ({
      ...layer,
      ln1: { ...layer.ln1, weight: rowsTimes(layer.ln1.weight!, spike(1000)) },
      qkv: { ...layer.qkv, weight: columnsTimes(layer.qkv.weight, spike(1 / 1000)) },
    })),
  };
  const divergenceOf = async (model: ModelWeights) => {
    const dir = mkdtempSync(join(tmpdir(), "jai-equalize-"));
    t.after(() => rmSync(dir, { recursive: true }));
    return (await writeGraph(dir, model, fixtureConfig(model, "int8"))).quality!.kl;
  };
  const [smooth, uneven] = [await divergenceOf(weights), await divergenceOf(spiked)];
  assert.ok(uneven < 1.5 * smooth, `${uneven} and ${smooth}`);
});
