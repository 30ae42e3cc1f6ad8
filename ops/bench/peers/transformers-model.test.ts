import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { FIXTURE_SIZES, randomWeights } from "../../../models/fixtures/model.js";
import { forward } from "../../../models/import/forward/forward.js";
import { writeModel } from "../../../models/import/graph/onnx.js";
import { buildTransformersGraph } from "./transformers-model.js";

const { layers, heads, width } = FIXTURE_SIZES;

/** Runs one batch: `rows` of ids of equal length; the first `padding` ids of each row are padding. */
async function step(
  session: InferenceSession,
  rows: readonly (readonly number[])[],
  padding: readonly number[],
  past: Record<string, Tensor> | undefined,
) {
  const cached = past === undefined ? 0 : past["present.0.key"]!.dims[2]!;
  const length = rows[0]!.length;
  const total = cached + length;
  const int64 = (values: readonly number[], size: number) =>
    new Tensor("int64", BigInt64Array.from(values.map(BigInt)), [rows.length, size]);
  const positions = rows.map((_, row) =>
    Array.from({ length }, (_, i) => Math.max(0, cached + i - padding[row]!)),
  );
  const mask = rows.map((_, row) => Array.from({ length: total }, (_, i) => (i < padding[row]! ? 0 : 1)));
  const feeds: Record<string, Tensor> = {
    input_ids: int64(rows.flat(), length),
    position_ids: int64(positions.flat(), length),
    attention_mask: int64(mask.flat(), total),
  };
  for (let layer = 0; layer < layers; layer++)
    for (const kind of ["key", "value"])
      feeds[`past_key_values.${layer}.${kind}`] =
        past?.[`present.${layer}.${kind}`] ??
        new Tensor("float32", new Float32Array(0), [rows.length, heads, 0, width / heads]);
  return session.run(feeds);
}

for (const [precision, tolerance] of [
  ["fp32", 1e-4],
  ["int8", 0.2],
] as const)
  test(`transformers.js' graph in ${precision} matches the checkpoint, padded, in a batch and with a cache`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "jai-transformers-"));
    t.after(() => rm(folder, { recursive: true }));
    const weights = randomWeights();
    const file = join(folder, "model.onnx");
    await writeModel(file, buildTransformersGraph(weights, precision));
    const session = await InferenceSession.create(file);
    t.after(() => session.release());

    const long = [3, 141, 59, 26, 53, 58, 97];
    const short = [93, 238, 46, 26];
    const padding = [0, long.length - short.length];
    const padded = [long, [0, 0, 0, ...short]];
    const first = await step(
      session,
      padded.map((ids) => ids.slice(0, -1)),
      padding,
      undefined,
    );
    const second = await step(
      session,
      padded.map((ids) => ids.slice(-1)),
      padding,
      first as Record<string, Tensor>,
    );
    const logits = second.logits!.data as Float32Array;
    for (const [row, ids] of [long, short].entries()) {
      const [expected] = await forward(weights, ids, 1);
      const spread = Math.max(...expected!) - Math.min(...expected!);
      for (const [token, value] of expected!.entries())
        assert.ok(
          Math.abs(logits[row * expected!.length + token]! - value) < tolerance * spread,
          `row ${row}, token ${token}: expected ${value}, got ${logits[row * expected!.length + token]}`,
        );
    }
  });
