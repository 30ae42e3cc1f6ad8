import { GPT } from "../../../models/architecture.js";
import { BOUNDS } from "../load/open-loop.js";
import { emptyResults, OURS, type Results } from "../results/results.js";

/** Results of two systems, few enough to know every figure; for tests. */
export function tinyResults(): Results {
  const results = emptyResults({
    command: "jai bench --peers",
    machine: {
      processor: "Abacus 2000",
      cores: 2,
      memoryBytes: 8 * 2 ** 30,
      system: "Linux 6",
      instructions: ["avx2"],
    },
    versions: { "jai-server": "0.1.0", node: "v20.0.0" },
    settings: { threads: 2, tokens: 150, repeats: 3, seconds: 4, mostSeconds: 10, bounds: BOUNDS },
  });
  const model = "vocabulary 99";
  const sizes = {
    vocab_size: 99,
    n_positions: 64,
    n_embd: 32,
    n_layer: 2,
    n_head: 2,
    n_kv_head: 2,
    head_dim: 16,
  };
  const rest = {
    model_type: "jai",
    graph_version: 2,
    layer_norm_epsilon: 1e-5,
    architecture: GPT,
    precision: "int8",
  } as const;
  results.models.push({ ...rest, name: model, ...sizes });
  const percentiles = { p50: 10, p95: 20, p99: 30 };
  const latencies = { firstToken: percentiles, interToken: percentiles, endToEnd: percentiles };
  for (const [system, clients, rates] of [
    [OURS, 1, [900, 1000, 2000]],
    [OURS, 8, [4000, 4000, 4000]],
    ["node-llama-cpp", 1, [100]],
    ["node-llama-cpp", 8, [500]],
  ] as const)
    for (const [repeat, tokensPerSecond] of rates.entries())
      for (const stream of [false, true]) {
        const cell = { model, repeat, system, clients, stream, tokens: 150 };
        results.closed.push({ ...cell, tokensPerSecond, requests: 8, seconds: 4, ...latencies });
      }
  for (const [repeat, tokensPerSecond] of [4100, 4000, 5000].entries()) {
    results.alone.push({ model, repeat, clients: 8, tokensPerSecond });
    results.reuse.push({ model, repeat, shared: 200, first: 30, again: 6 });
    const cell = { model, repeat, precision: "int8" as const, batch: 1, depth: 32 };
    results.decode.push({ ...cell, step: 2 + repeat, native: 1 + repeat });
  }
  addConditions(results, model);
  const counts = {
    offered: 200,
    good: 160,
    refused: 20,
    refusedWithRetryAfter: 20,
    failed: 0,
    unfinished: 0,
  };
  results.open.push({ model, system: OURS, load: 1, perSecond: 25, seconds: 8, ...counts, ...latencies });
  results.systems.push({ model, system: OURS, clients: 8, settings: "int8, 2 threads" });
  const reason = "python3 has no torch";
  results.problems.push({ model, system: "FastAPI + PyTorch", clients: null, reason });
  return results;
}

function addConditions(results: Results, model: string): void {
  for (const [repeat, rates] of [
    { quiet: 1000, busy: 700, asked: 1500 },
    { quiet: 1200, busy: 600, asked: 1500 },
    { quiet: 1000, busy: 900, asked: 1600 },
  ].entries())
    for (const condition of ["quiet", "busy", "asked"] as const)
      results.conditions.push({
        ...{ model, repeat, system: OURS, clients: 1, condition },
        tokensPerSecond: rates[condition],
      });
}
