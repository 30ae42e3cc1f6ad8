import assert from "node:assert/strict";
import { test } from "node:test";
import type { StepSession } from "../../workers/engine/runner.js";
import { randomWeights } from "../fixture.js";
import { ImportError } from "./error.js";
import { verify } from "./verify.js";

test("a graph that the runtime refuses to run is one line with the model's name", async () => {
  const broken: StepSession = { run: () => Promise.reject(new Error("Add node:\nno broadcast")) };
  const { sizes } = randomWeights();
  const config = {
    model_type: "jai",
    name: "fixture",
    vocab_size: sizes.vocab,
    n_positions: sizes.context,
    n_embd: sizes.width,
    n_layer: sizes.layers,
    n_head: sizes.heads,
    layer_norm_epsilon: 1e-5,
    precision: "fp32",
  } as const;
  await assert.rejects(verify(broken, randomWeights(), config), (error) => {
    assert.ok(error instanceof ImportError, String(error));
    assert.match(error.message, /^the written model fixture: expected a graph that runs, got: [^\n]+$/);
    return true;
  });
});
