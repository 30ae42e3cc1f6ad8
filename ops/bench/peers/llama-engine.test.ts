import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBatchedBench } from "./llama-engine.js";

test("of a fork that knows no JSON the table's rows are read", () => {
  const output = [
    "main: n_kv_max = 4096, n_batch = 2048",
    "|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |",
    "|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|",
    "|    64 |     64 |   16 |   2048 |    0.112 |  9115.92 |    0.320 |  3203.55 |    0.432 |  4741.00 |",
  ].join("\n");
  assert.deepEqual(parseBatchedBench(output), [{ batch: 16, tokensPerSecond: 3203.55 }]);
});

test("the lines of JSON are read, whatever is printed around them", () => {
  const output = [
    "llama_context: n_ctx = 6144",
    '{"n_kv_max": 6144, "pp": 64, "tg": 64, "pl": 1, "n_kv": 128, "t_pp": 0.1, "speed_pp": 640.0, "t_tg": 0.2, "speed_tg": 320.5, "t": 0.3, "speed": 426.0}',
    "",
    '{"pp": 64, "tg": 64, "pl": 8, "speed_tg": 1195}',
  ].join("\n");
  assert.deepEqual(parseBatchedBench(output), [
    { batch: 1, tokensPerSecond: 320.5 },
    { batch: 8, tokensPerSecond: 1195 },
  ]);
});
