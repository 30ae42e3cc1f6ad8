import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { GPT } from "./architecture.js";
import type { ModelConfig } from "./config.js";
import { ModelError } from "./files/error.js";
import {
  compare,
  readSelfTest,
  relativeError,
  renderSelfTest,
  SELF_TEST_FILE,
  type SelfTest,
} from "./self-test.js";

const config: ModelConfig = {
  model_type: "jai",
  graph_version: 2,
  name: "test",
  vocab_size: 4,
  n_positions: 3,
  n_embd: 8,
  n_layer: 1,
  n_head: 1,
  n_kv_head: 1,
  head_dim: 8,
  layer_norm_epsilon: 1e-5,
  architecture: GPT,
  precision: "int8",
};
const selfTest: SelfTest = {
  ids: Int32Array.of(3, 0, 1),
  logits: Float32Array.of(-1.5, 0.25, 2, 1e-7),
  error: 0.02,
};

function folder(t: TestContext, content?: unknown): string {
  const dir = mkdtempSync(join(tmpdir(), "jai-self-test-"));
  t.after(() => rmSync(dir, { recursive: true }));
  if (content !== undefined) writeFileSync(join(dir, SELF_TEST_FILE), JSON.stringify(content));
  return dir;
}

describe("a model folder's self-test", () => {
  it("is read as it was written, bit by bit", (t) => {
    assert.deepEqual(readSelfTest(folder(t, renderSelfTest(selfTest)), config), selfTest);
  });

  it("may be absent", (t) => {
    assert.equal(readSelfTest(folder(t), config), null);
  });

  for (const [field, value, expected] of [
    ["ids", [], /1 to 3 token ids below 4 for ids, got \[\]/],
    ["ids", [0, 1, 2, 3], /for ids/],
    ["ids", [4], /for ids, got \[4\]/],
    ["ids", [1.5], /for ids/],
    ["ids", "0", /for ids/],
    ["logits", "AAAA", /4 float32 numbers in base64 for logits, got "AAAA"/],
    ["logits", 7, /for logits, got 7/],
    ["error", -1, /a number from 0 to 2 for error, got -1/],
    ["error", 1e300, /for error, got 1e\+300/],
    ["error", null, /for error, got null/],
  ] as const) {
    it(`is refused by name with ${field} ${JSON.stringify(value)}`, (t) => {
      const dir = folder(t, { ...renderSelfTest(selfTest), [field]: value });
      assert.throws(
        () => readSelfTest(dir, config),
        (error) => error instanceof ModelError && expected.test(error.message),
      );
    });
  }
});

describe("a machine's numbers", () => {
  /** Logits whose relative error is `error`: the same number is added to one and subtracted from another. */
  const off = (error: number) => {
    const spread = Math.sqrt(
      selfTest.logits.reduce((sum, x) => sum + (x - selfTest.logits.reduce((a, b) => a + b) / 4) ** 2, 0),
    );
    const logits = Float32Array.from(selfTest.logits);
    logits[0]! += (error * spread) / Math.SQRT2;
    logits[1]! -= (error * spread) / Math.SQRT2;
    return logits;
  };

  it("differ by their distance's share of the spread, whatever is added to all", () => {
    const shifted = off(0.3).map((logit) => logit + 5);
    assert.ok(Math.abs(relativeError(selfTest.logits, shifted) - 0.3) < 1e-6);
  });

  it("pass where they are about as far off as on the machine that imported the model", () => {
    assert.equal(compare(selfTest, off(0.02), "int8").verdict, "passed");
    assert.equal(compare({ ...selfTest, error: 0 }, off(1e-4), "fp32").verdict, "passed");
  });

  it("are off where they are further off", () => {
    const { verdict, message } = compare(selfTest, off(0.2), "int8");
    assert.equal(verdict, "off");
    assert.match(
      message,
      /^self-test: this machine computes other numbers: int8 logits are 20 % off .* 2\.0 % off where/,
    );
    assert.equal(compare({ ...selfTest, error: 0 }, off(0.01), "fp32").verdict, "off");
  });

  it("are wrong where they have nothing to do with the original's, or are none", () => {
    for (const logits of [off(2), new Float32Array(4).fill(Number.NaN)])
      assert.throws(
        () => compare(selfTest, logits, "int8"),
        /^Error: self-test: expected [^\n]+ import it again$/,
      );
    assert.throws(() => compare({ ...selfTest, error: 0 }, off(0.1), "fp32"), /self-test: expected/);
  });
});
