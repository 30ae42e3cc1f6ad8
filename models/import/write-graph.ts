import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  ALL_CUTS,
  compareCuts,
  type Exactness,
  SOME_CUTS,
  scattered,
} from "../../workers/engine/exactness.js";
import { readPrompt } from "../../workers/engine/reader.js";
import { OnnxSession } from "../../workers/onnx/session.js";
import type { ModelConfig } from "../config.js";
import {
  GREATEST_ERROR,
  relativeError,
  renderSelfTest,
  SELF_TEST_FILE,
  type SelfTest,
} from "../self-test.js";
import { type ModelShape, modelShape } from "../shape.js";
import { type Calibration, calibrate } from "./calibrate.js";
import { ImportError } from "./checkpoint/error.js";
import { equalize } from "./equalize.js";
import { buildGraph, buildObservedGraph } from "./graph/build.js";
import { writeModel } from "./graph/onnx.js";
import { headSteps } from "./head-steps.js";
import { judge, type Quality } from "./judge.js";
import { LogitFile } from "./logit-file.js";
import { doesNotRun, type Expected, predict, type Verification, verify } from "./verify.js";
import { type ModelWeights, productsOf } from "./weights.js";

/** Phases of an import, in this order; an fp32 import only verifies and writes. */
export type ImportPhase =
  | "downloading"
  | "verifying"
  | "preparing"
  | "calibrating"
  | "writing"
  | "comparing"
  | "checking";

/** Tokens of the text that is cut in many ways, and of the longer one. */
const EXACTNESS_TOKENS = 64;
const LONGER_TOKENS = 250;

/** Findings of writing a graph. */
export interface WrittenGraph {
  /** The comparison of the float32 graph, whatever the model's precision. */
  verification: Verification;
  /** Of an int8 graph: how close it comes to float32. Null for float32. */
  quality: Quality | null;
  /** Of an int8 graph: whether a token's logits depend on how its text is cut. Null for float32. */
  exactness: Exactness | null;
}

/**
 * Writes `onnx/model.onnx` and the self-test into a model folder. The float32 graph is compared with the checkpoint,
 * where only rounding may differ and a wrong graph shows. An int8 graph is then compared with the float32 one.
 * @throws ImportError if the float32 graph doesn't run or disagrees with the checkpoint
 */
export async function writeGraph(
  folder: string,
  weights: ModelWeights,
  config: ModelConfig,
  onProgress: (phase: ImportPhase, share: number) => void = () => {},
): Promise<WrittenGraph> {
  const during = (phase: ImportPhase) => (share: number) => onProgress(phase, share);
  await mkdir(join(folder, "onnx"), { recursive: true });
  const file = join(folder, "onnx", "model.onnx");
  const shape = modelShape(config);
  const saveSelfTest = (test: SelfTest) =>
    writeFile(join(folder, SELF_TEST_FILE), `${JSON.stringify(renderSelfTest(test))}\n`);

  // Before there is a session: both take as much memory as the largest weights.
  const expected = await predict(weights, during("verifying"));
  if (config.precision === "fp32") {
    await writeModel(file, buildGraph(weights, config), during("writing"));
    return withSession(file, config, async (session) => {
      const verification = await verify(session, config, expected);
      await saveSelfTest({ ...verification, error: 0 });
      return { verification, quality: null, exactness: null };
    });
  }

  const original = join(folder, "observed.onnx");
  const recorded = join(folder, "observed.logits");
  const logits = await LogitFile.create(recorded, shape.vocabulary);
  try {
    // One session at a time: a second one would take as much memory again.
    const float = { ...config, precision: "fp32" } as const;
    const seen = await observe(original, weights, float, expected, logits, during);
    const even = await equalize(weights, seen.observed);
    const { ranges } = even;
    const heads = even.heads.map((head) => headSteps(head, weights.sizes, weights.architecture.rotary));
    await writeModel(file, buildGraph(even.weights, config, { ranges, heads }), during("writing"));
    const { verification, texts } = seen;
    return await withSession(file, config, async (quantized) => {
      const quality = await judge(logits, quantized, shape, texts, during("comparing"));
      const exactness = await tryCuts(quantized, shape, texts, during("checking"));
      const after = await readPrompt(quantized, shape, verification.ids);
      const error = relativeError(verification.logits, after.at(-1)!);
      if (!Number.isFinite(quality.kl + error))
        throw new ImportError(
          `the written model ${config.name}`,
          "expected logits, got values that are no numbers in int8; import it with --precision fp32",
        );
      await saveSelfTest({ ...verification, error: Math.min(error, GREATEST_ERROR) });
      return { verification, quality, exactness };
    });
  } finally {
    await logits.close();
    for (const part of [original, `${original}_data`, recorded]) await rm(part, { force: true });
  }
}

/** Cuts a text that the model wrote in many ways, and a longer one of scattered ids in some. */
async function tryCuts(
  session: OnnxSession,
  shape: ModelShape,
  { ids, length }: Calibration["texts"],
  onProgress: (share: number) => void,
): Promise<Exactness> {
  const half = (begin: number) => (share: number) => onProgress(begin + share / 2);
  const prose = ids.subarray(0, Math.min(EXACTNESS_TOKENS, length));
  const short = await compareCuts(session, shape, prose, ALL_CUTS, half(0));
  const longer = scattered(Math.min(LONGER_TOKENS, shape.context), shape.vocabulary);
  const long = await compareCuts(session, shape, longer, SOME_CUTS, half(0.5));
  return {
    cuts: short.cuts,
    logits: short.logits + long.logits,
    differing: short.differing + long.differing,
  };
}

/** Verifies the float32 graph, and watches it write texts. @param file where the graph may lie meanwhile */
async function observe(
  file: string,
  weights: ModelWeights,
  config: ModelConfig,
  expected: Expected,
  logits: LogitFile,
  during: (phase: ImportPhase) => (share: number) => void,
): Promise<Calibration & { verification: Verification }> {
  // Its weights stay in a file of their own, from which the system reads them.
  await writeModel(file, buildObservedGraph(weights, config), during("preparing"), 0);
  const columns = [
    ...productsOf(weights).map(({ weight }) => weight.shape[1]!),
    ...weights.layers.map(({ qkv }) => qkv.weight.shape[0]!),
  ];
  return withSession(
    file,
    config,
    async (session) => {
      const verification = await verify(session, config, expected);
      const record = (rows: Float32Array) => logits.append(rows);
      const shape = modelShape(config);
      const seen = await calibrate(session, shape, columns, record, during("calibrating"));
      return { ...seen, verification };
    },
    { prepack: false },
  );
}

async function withSession<T>(
  file: string,
  config: ModelConfig,
  work: (session: OnnxSession) => Promise<T>,
  { prepack = true } = {},
): Promise<T> {
  let session: OnnxSession;
  try {
    session = await OnnxSession.open(file, modelShape(config), {
      device: "cpu",
      deviceId: 0,
      threads: 0,
      spin: false,
      prepack,
    });
  } catch (error) {
    // The runtime's message names a temporary file, which is gone when the user reads it.
    throw doesNotRun(config, (error as Error).message.replaceAll(file, "model.onnx"));
  }
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
