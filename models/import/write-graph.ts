import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ALL_CUTS, compareCuts, type Exactness } from "../../workers/engine/exactness.js";
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
import { modelShape } from "../shape.js";
import { calibrate } from "./calibrate.js";
import { ImportError } from "./checkpoint/error.js";
import { equalize } from "./equalize.js";
import { buildGraph, buildObservedGraph } from "./graph/build.js";
import { writeModel } from "./graph/onnx.js";
import { headSteps } from "./head-steps.js";
import { judge, type Quality } from "./judge.js";
import { doesNotRun, type Verification, verify } from "./verify.js";
import { type ModelWeights, productsOf } from "./weights.js";

/** Phases of an import, in this order; an fp32 import only writes and verifies. */
export type ImportPhase =
  | "downloading"
  | "preparing"
  | "verifying"
  | "calibrating"
  | "writing"
  | "comparing"
  | "checking";

/** Tokens of a text that is cut in many ways. */
const EXACTNESS_TOKENS = 64;

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

  if (config.precision === "fp32") {
    await writeModel(file, buildGraph(weights, config), during("writing"));
    return withSession(file, config, async (session) => {
      const verification = await verify(session, weights, config, during("verifying"));
      await saveSelfTest({ ...verification, error: 0 });
      return { verification, quality: null, exactness: null };
    });
  }

  const graph = join(folder, "observed.onnx");
  try {
    await writeModel(graph, buildObservedGraph(weights, config), during("preparing"));
    return await withSession(graph, { ...config, precision: "fp32" }, async (original) => {
      const float = { ...shape, precision: "fp32" } as const;
      const verification = await verify(
        original,
        weights,
        { ...config, precision: "fp32" },
        during("verifying"),
      );
      const columns = [
        ...productsOf(weights).map(({ weight }) => weight.shape[1]!),
        ...weights.layers.map(({ qkv }) => qkv.weight.shape[0]!),
      ];
      const { observed, texts } = await calibrate(original, float, columns, during("calibrating"));
      const even = await equalize(weights, observed);
      const { ranges } = even;
      const heads = even.heads.map((seen) => headSteps(seen, weights.sizes, weights.architecture.rotary));
      await writeModel(file, buildGraph(even.weights, config, { ranges, heads }), during("writing"));
      return withSession(file, config, async (quantized) => {
        const quality = await judge(
          { session: original, shape: float },
          { session: quantized, shape },
          texts,
          during("comparing"),
        );
        const text = texts.ids.subarray(0, Math.min(EXACTNESS_TOKENS, texts.length));
        const exactness = await compareCuts(quantized, shape, text, ALL_CUTS, during("checking"));
        const logits = await readPrompt(quantized, shape, verification.ids);
        const error = relativeError(verification.logits, logits.at(-1)!);
        if (!Number.isFinite(quality.kl + error))
          throw new ImportError(
            `the written model ${config.name}`,
            "expected logits, got values that are no numbers in int8; import it with --precision fp32",
          );
        await saveSelfTest({ ...verification, error: Math.min(error, GREATEST_ERROR) });
        return { verification, quality, exactness };
      });
    });
  } finally {
    for (const part of [graph, `${graph}_data`]) await rm(part, { force: true });
  }
}

async function withSession<T>(
  file: string,
  config: ModelConfig,
  work: (session: OnnxSession) => Promise<T>,
): Promise<T> {
  let session: OnnxSession;
  try {
    // An int8 import runs two sessions in turn, and threads of the idle one would spin in the other's way.
    session = await OnnxSession.open(file, modelShape(config), {
      device: "cpu",
      deviceId: 0,
      threads: 0,
      spin: false,
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
