/*
 * x86 CPUs without VNNI add two products in an int16 that saturates. Which kernel runs depends on the CPU, so these
 * tests compare this machine's sums with exact integers.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { encodeNode, writeModel } from "../../models/import/graph/onnx.js";
import { GREATEST_WEIGHT } from "../../models/import/graph/quantize.js";
import { uniform } from "../engine/sampling/philox.js";

/** Inputs and outputs of each product of a step graph. */
function products(width: number, vocabulary: number): [inputs: number, outputs: number][] {
  return [
    [width, 3 * width],
    [width, width],
    [width, 4 * width],
    [4 * width, width],
    [width, vocabulary],
  ];
}

const SHAPES = [
  ...products(8, 11),
  ...products(21, 53),
  ...products(32, 261),
  ...products(128, 259),
  ...products(256, 3072),
];
/** Rows of a run: the kernels take them in groups, the last of which may be smaller. */
const ROWS = [1, 2, 3, 9];

type Fill = (index: number) => number;
const random = (index: number) => uniform([7, 0], index);
/** Weights of the greatest magnitude in every column: of one sign, of signs that alternate, of signs at random. */
const WEIGHTS: Record<string, Fill> = {
  "the greatest": () => GREATEST_WEIGHT,
  "the least": () => -GREATEST_WEIGHT,
  "in turn": (i) => (i % 2 === 0 ? GREATEST_WEIGHT : -GREATEST_WEIGHT),
  "at random": (i) => (random(i) < 0.5 ? GREATEST_WEIGHT : -GREATEST_WEIGHT),
};
const ACTIVATIONS: Record<string, Fill> = {
  "all 255": () => 255,
  "255 or 0 at random": (i) => (random(i + 1e6) < 0.5 ? 255 : 0),
};

/** A session with one product, as `buildGraph` writes it, with scales of 1. */
async function open(
  t: TestContext,
  [inputs, outputs]: readonly [number, number],
  values: Int8Array,
  zero: number,
): Promise<InferenceSession> {
  const folder = mkdtempSync(join(tmpdir(), "jai-product-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "product.onnx");
  await writeModel(file, {
    nodes: [
      encodeNode(
        "MatMulIntegerToFloat",
        ["input", "values", "step", "scales", "zero"],
        ["output"],
        {},
        "com.microsoft",
      ),
    ],
    initializers: [
      { name: "values", type: "int8", dims: [inputs, outputs], data: async () => values },
      { name: "step", type: "float32", dims: [], data: async () => Float32Array.of(1) },
      {
        name: "scales",
        type: "float32",
        dims: [outputs],
        data: async () => new Float32Array(outputs).fill(1),
      },
      { name: "zero", type: "uint8", dims: [], data: async () => Uint8Array.of(zero) },
    ],
    inputs: [{ name: "input", type: "uint8", dims: ["rows", inputs] }],
    outputs: [{ name: "output", type: "float32", dims: ["rows", outputs] }],
    opset: 20,
    metadata: {},
  });
  return InferenceSession.create(file, { intraOpNumThreads: 2, logSeverityLevel: 3 });
}

for (const [kind, weight] of Object.entries(WEIGHTS)) {
  test(`sums of extreme products are exact: weights ${kind}`, async (t) => {
    for (const shape of SHAPES) {
      const [inputs, outputs] = shape;
      const values = new Int8Array(inputs * outputs).map((_, i) => weight(i));
      for (const zero of [0, 128]) {
        const session = await open(t, shape, values, zero);
        for (const [what, activation] of Object.entries(ACTIVATIONS)) {
          const all = new Uint8Array(ROWS.at(-1)! * inputs).map((_, i) => activation(i));
          const sums = exactSums(all, values, zero, shape);
          for (const rows of ROWS) {
            const input = new Tensor("uint8", all.slice(0, rows * inputs), [rows, inputs]);
            const { output } = await session.run({ input });
            const expected = sums.subarray(0, rows * outputs);
            const wrong = (output!.data as Float32Array).findIndex((sum, i) => sum !== expected[i]);
            assert.equal(
              wrong,
              -1,
              `${rows} x ${inputs} x ${outputs}, ${what}, zero ${zero}: at ${wrong} expected ${expected[wrong]}, got ${output!.data[wrong]}`,
            );
          }
        }
        await session.release();
      }
    }
  });
}

/** float32 [rows, outputs] of sums that are taken as integers and rounded once. */
function exactSums(
  activations: Uint8Array,
  values: Int8Array,
  zero: number,
  [inputs, outputs]: readonly [number, number],
): Float32Array {
  const sums = new Float32Array((activations.length / inputs) * outputs);
  const row = new Float64Array(outputs);
  for (let first = 0, at = 0; first < activations.length; first += inputs, at += outputs) {
    row.fill(0);
    for (let input = 0; input < inputs; input++) {
      const level = activations[first + input]! - zero;
      const offset = input * outputs;
      for (let output = 0; output < outputs; output++) row[output]! += level * values[offset + output]!;
    }
    sums.set(row, at);
  }
  return sums;
}
