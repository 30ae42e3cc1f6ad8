import assert from "node:assert/strict";
import { test } from "node:test";
import type { StepSession } from "../../workers/engine/step-session.js";
import { fixtureConfig, randomWeights } from "../fixtures/model.js";
import { ImportError } from "./checkpoint/error.js";
import { predict, verify } from "./verify.js";

test("a graph that the runtime refuses to run is one line with the model's name", async () => {
  const broken: StepSession = { run: () => Promise.reject(new Error("Add node:\nno broadcast")) };
  const weights = randomWeights();
  const config = fixtureConfig(weights, "fp32");
  await assert.rejects(verify(broken, config, await predict(weights)), (error) => {
    assert.ok(error instanceof ImportError, String(error));
    assert.match(error.message, /^the written model fixture: expected a graph that runs, got: [^\n]+$/);
    return true;
  });
});
