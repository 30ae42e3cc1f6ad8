import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ModelConfig } from "./config.js";
import { readFields, unexpected } from "./files/fields.js";

/** The file's name in a model folder. */
export const SELF_TEST_FILE = "self_test.json";

/** A short prompt and the float32 original's logits for it, with which a machine checks its own numbers. */
export interface SelfTest {
  /** The prompt's token ids, int32. */
  ids: Int32Array;
  /** The original's logits after the last id: float32 [vocabulary]. */
  logits: Float32Array;
  /** Relative error (see `relativeError`) of the folder's own graph on the machine that imported it. */
  error: number;
}

/** Result of the self-test on this machine. */
export interface SelfTestResult {
  /** `off`: further from the original than on the machine that imported it; `absent`: the folder holds no self-test. */
  verdict: "passed" | "off" | "absent";
  /** One line for the log and `/health`. */
  message: string;
}

/** Allowance for another machine's rounding, added to the expected error. */
const SLACK = { fp32: 1e-3, int8: 0.01 } as const;
/**
 * Greater errors are wrong on any machine. Unrelated logits differ by 1 or more. TensorFloat-32, which GPUs use for
 * float32, costs some 1e-3.
 */
const WRONG = { fp32: 0.05, int8: 0.7 } as const;

/** Greatest error in a self-test: a poor int8 model may be as far off as an unrelated one. */
export const GREATEST_ERROR = 2;

/**
 * Reads a folder's self-test; null if it holds none, as folders of earlier versions.
 * @throws ModelError with one line that names the field
 */
export function readSelfTest(dir: string, config: ModelConfig): SelfTest | null {
  if (!existsSync(join(dir, SELF_TEST_FILE))) return null;
  const { ids, logits, error } = readFields(dir, SELF_TEST_FILE);
  const { n_positions: context, vocab_size: vocabulary } = config;
  const isId = (id: unknown) => Number.isInteger(id) && (id as number) >= 0 && (id as number) < vocabulary;
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > context || !ids.every(isId))
    throw unexpected(SELF_TEST_FILE, "ids", `1 to ${context} token ids below ${vocabulary}`, ids);
  const bytes = Buffer.from(typeof logits === "string" ? logits : "", "base64");
  if (bytes.length !== 4 * vocabulary)
    throw unexpected(SELF_TEST_FILE, "logits", `${vocabulary} float32 numbers in base64`, logits);
  if (typeof error !== "number" || !(error >= 0 && error <= GREATEST_ERROR))
    throw unexpected(SELF_TEST_FILE, "error", `a number from 0 to ${GREATEST_ERROR}`, error);
  return {
    ids: Int32Array.from(ids as number[]),
    logits: Float32Array.from({ length: vocabulary }, (_, i) => bytes.readFloatLE(4 * i)),
    error,
  };
}

/** The file's contents: what `readSelfTest` reads back. */
export function renderSelfTest({ ids, logits, error }: SelfTest): Record<string, unknown> {
  const bytes = Buffer.alloc(4 * logits.length);
  for (const [i, logit] of logits.entries()) bytes.writeFloatLE(logit, 4 * i);
  return { ids: [...ids], logits: bytes.toString("base64"), error };
}

/**
 * Compares the logits that this machine computed for the self-test's ids with the original's.
 * @throws a one-line error if they are unrelated
 */
export function compare(
  test: SelfTest,
  logits: Float32Array,
  precision: ModelConfig["precision"],
): SelfTestResult {
  const error = relativeError(test.logits, logits);
  const expected = 2 * test.error + SLACK[precision];
  const figures = `${precision} logits are ${percent(error)} off the original's here, and were ${percent(test.error)} off where the model was imported`;
  if (!(error <= Math.max(WRONG[precision], expected)))
    throw new Error(
      `self-test: expected the numbers of the model that was imported, got others: ${figures}; import it again`,
    );
  if (error > expected)
    return { verdict: "off", message: `self-test: this machine computes other numbers: ${figures}` };
  return { verdict: "passed", message: `self-test passed: ${figures}` };
}

export const ABSENT: SelfTestResult = {
  verdict: "absent",
  message:
    "no self-test in the model folder, which an earlier version imported: its int8 weights may be wrong on CPUs without VNNI; import it again",
};

/**
 * The root mean square of the differences between logits, as a share of the expected logits' standard deviation. A
 * constant added to all logits of one side doesn't count, since softmax ignores it.
 */
export function relativeError(expected: Float32Array, actual: Float32Array): number {
  const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanExpected, meanActual] = [mean(expected), mean(actual)];
  let spread = 0;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    const centred = expected[i]! - meanExpected;
    spread += centred ** 2;
    error += (actual[i]! - meanActual - centred) ** 2;
  }
  // Where all logits are equal there is no spread, and rounding must not look like an error.
  return Math.sqrt(error / Math.max(spread, 1e-9 * expected.length));
}

const percent = (share: number) => `${(100 * share).toPrecision(2)} %`;
