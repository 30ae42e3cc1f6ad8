import assert from "node:assert/strict";
import { test } from "node:test";
import { type Architecture, GPT } from "./architecture.js";
import { parseModelConfig } from "./config.js";
import { ModelError } from "./files/error.js";

const old = {
  model_type: "jai",
  graph_version: 2,
  name: "tiny",
  vocab_size: 11,
  n_positions: 32,
  n_embd: 16,
  n_layer: 2,
  n_head: 4,
  layer_norm_epsilon: 1e-5,
  precision: "int8",
};
const rotary = { dim: 4, theta: 10_000, scaling: null, precision: "float32" } as const;
const architecture: Architecture = {
  norm: "rmsnorm",
  rotary,
  activation: "silu",
  gated_mlp: true,
  qk_norm: "before_rotation",
  parallel_residual: false,
  sliding_window: [5, null],
  embedding_norm: false,
  final_logit_softcapping: 15,
};
const llama3 = {
  ...{ type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
  original_max_position_embeddings: 64,
};

test("a config of before there were architectures is that of a GPT", () => {
  const config = parseModelConfig(old);
  assert.deepEqual(config, { ...old, n_kv_head: 4, head_dim: 4, architecture: GPT });
});

test("what was written is read back, whatever the architecture", () => {
  const config = { ...old, n_kv_head: 2, head_dim: 6, architecture };
  assert.deepEqual(parseModelConfig(JSON.parse(JSON.stringify(config))), config);
  for (const scaling of [llama3, { type: "linear", factor: 2 }]) {
    const scaled = { ...config, architecture: { ...architecture, rotary: { ...rotary, scaling } } };
    assert.deepEqual(parseModelConfig(scaled), scaled);
  }
});

test("a context is as long as integer sums allow, and any with fp32", () => {
  for (const changes of [{ n_positions: 131_586 }, { n_positions: 2 ** 20, precision: "fp32" }])
    assert.doesNotThrow(() => parseModelConfig({ ...old, ...changes }));
});

for (const [name, changes, message] of [
  [
    "a graph of before versions",
    { graph_version: undefined },
    /expected graph_version 2, got nothing: .*again$/,
  ],
  ["a graph without a version", { graph_version: null }, /expected graph_version 2, got null: .*again$/],
  ["a graph of a later version", { graph_version: 2.5 }, /expected graph_version 2, got 2.5: .*again$/],
  ["a version in quotes", { graph_version: "2" }, /expected graph_version 2, got "2": .*again$/],
  [
    "an int8 context whose sums overflow",
    { n_positions: 131_587 },
    /up to 131586 for n_positions .*, got 131587; .*--precision fp32$/,
  ],
  ["keys that heads can't share", { n_kv_head: 3 }, /a divisor of n_head \(4\) for n_kv_head, got 3/],
  ["a head without width", { head_dim: 0 }, /a positive integer for head_dim, got 0/],
  ["an architecture that is no object", { architecture: [] }, /an object for architecture, got \[\]/],
  [
    "an unknown norm",
    { norm: "batchnorm" },
    /"layernorm" or "rmsnorm" for architecture.norm, got "batchnorm"/,
  ],
  [
    "a missing switch",
    { qk_norm: undefined },
    /null or "before_rotation" or "after_rotation" for architecture.qk_norm, got nothing/,
  ],
  ["an unknown activation", { activation: "mish" }, /"gelu" or .* for architecture.activation, got "mish"/],
  [
    "half a pair to turn",
    { rotary: { ...rotary, dim: 3 } },
    /an even number from 2 to 4 .*rotary.dim, got 3/,
  ],
  ["more to turn than a head has", { rotary: { ...rotary, dim: 6 } }, /from 2 to 4 .*rotary.dim, got 6/],
  ["a base of 0", { rotary: { ...rotary, theta: 0 } }, /a positive number .*rotary.theta, got 0/],
  [
    "an unknown precision",
    { rotary: { ...rotary, precision: "int8" } },
    /"float32" or "bfloat16" .*precision, got "int8"/,
  ],
  ["a rotary that is none", { rotary: undefined }, /rotary.dim, got nothing/],
  [
    "an unknown scaling",
    { rotary: { ...rotary, scaling: { type: "yarn" } } },
    /"linear" or "llama3" .*scaling.type, got "yarn"/,
  ],
  [
    "a scaling without its factor",
    { rotary: { ...rotary, scaling: { ...llama3, factor: null } } },
    /a positive number .*scaling.factor, got null/,
  ],
  ["windows of other layers", { sliding_window: [5] }, /for each of 2 layers .*sliding_window, got \[5\]/],
  ["a window of nothing", { sliding_window: [0, null] }, /sliding_window, got \[0,null\]/],
  ["a cap of 0", { final_logit_softcapping: 0 }, /a positive number .*final_logit_softcapping, got 0/],
] as const)
  test(`${name} is refused in one line`, () => {
    const fields = { ...old, n_kv_head: 4, head_dim: 4, architecture };
    const isTop = Object.keys(changes).every((field) => field in fields);
    const changed = isTop
      ? { ...fields, ...changes }
      : { ...fields, architecture: { ...architecture, ...changes } };
    assert.throws(
      () => parseModelConfig(changed),
      (error) => {
        assert.ok(error instanceof ModelError);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      },
    );
  });
