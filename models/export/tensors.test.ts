import assert from "node:assert/strict";
import { test } from "node:test";
import { randomWeights } from "../fixtures/model.js";
import type { WeightSource } from "../import/weights.js";
import { ggufTensors } from "./tensors.js";

/** A weight of a checkpoint reads itself from its own file. */
class OwnSource implements WeightSource {
  readonly #source: WeightSource;

  constructor(source: WeightSource) {
    this.#source = source;
  }

  get name() {
    return this.#source.name;
  }

  get shape() {
    return this.#source.shape;
  }

  read() {
    return this.#source.read();
  }
}

test("a checkpoint's weights can be read as tensors of a GGUF file", async () => {
  const weights = randomWeights();
  const own = {
    ...weights,
    tokens: new OwnSource(weights.tokens),
    positions: new OwnSource(weights.positions!),
  };
  const tensors = ggufTensors(own, "gpt2", "f32", false);
  for (const [name, source] of [
    ["token_embd.weight", weights.tokens],
    ["position_embd.weight", weights.positions!],
  ] as const)
    assert.deepEqual(await tensors.find((tensor) => tensor.name === name)!.read(), await source.read());
});
