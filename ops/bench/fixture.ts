import type { ClosedLoopFigures } from "./closed-loop.js";
import { emptyResults, OURS, type Results } from "./results.js";

/** A run of two systems, small enough to know every figure of; for tests. */
export function tinyResults(): Results {
  const results = emptyResults({
    command: "jai bench --peers",
    machine: {
      processor: "Abacus 2000",
      cores: 2,
      memoryBytes: 8 * 2 ** 30,
      system: "Linux 6",
      instructions: ["avx2"],
      caches: ["L3 32 MB"],
    },
    versions: { "jai-server": "0.1.0", node: "v20.0.0", "onnxruntime-node": "1.30.0" },
    settings: {
      threads: 2,
      tokens: 150,
      repeats: 3,
      seconds: 4,
      mostSeconds: 10,
      llamaServers: [],
      bounds: { firstTokenMs: 1000, meanInterTokenMs: 50 },
    },
  });
  const model = "vocabulary 99";
  results.models.push({ name: model, layers: 2, width: 32, heads: 2, context: 64, vocabulary: 99 });
  const percentiles = { p50: 10, p95: 20, p99: 30 };
  const figures = (tokensPerSecond: number): ClosedLoopFigures => ({
    tokensPerSecond,
    requests: 8,
    seconds: 4,
    firstToken: percentiles,
    interToken: percentiles,
    endToEnd: percentiles,
  });
  const rates: Record<string, [number, number, number][]> = {
    [OURS]: [
      [1, 0, 900],
      [1, 1, 1000],
      [1, 2, 2000],
      [8, 0, 4000],
      [8, 1, 4000],
      [8, 2, 4000],
    ],
    "node-llama-cpp": [
      [1, 0, 100],
      [8, 0, 500],
    ],
  };
  for (const [system, rows] of Object.entries(rates))
    for (const [clients, repeat, rate] of rows)
      for (const stream of [false, true])
        results.closed.push({ model, repeat, system, clients, stream, tokens: 150, ...figures(rate) });
  for (const [repeat, rate] of [4100, 4000, 5000].entries())
    results.alone.push({ model, repeat, clients: 8, tokensPerSecond: rate });
  const step = {
    step: 2,
    native: 1.5,
    sampling: 0.2,
    cache: 0.1,
    delivery: 0.1,
    rest: 0.1,
    productsAndAttention: 1.4,
  };
  for (const repeat of [0, 1, 2]) {
    for (const depth of [8, 64]) {
      const reading = null;
      results.decode.push({
        model,
        repeat,
        precision: "int8",
        batch: 32,
        depth,
        products: 1.3,
        reading,
        memory: null,
        ...step,
      });
      results.decode.push({
        model,
        repeat,
        precision: "int8",
        batch: 1,
        depth,
        products: 1,
        ...step,
        reading: 0.5,
        memory: 0.9,
      });
    }
    results.again.push({ model, repeat, shared: 200, first: 30, again: 6 });
  }
  results.memory.push({
    model,
    repeat: 0,
    resident: [
      { slots: 8, bytes: 10_000_000 },
      { slots: 64, bytes: 66_000_000 },
    ],
    cacheBytesPerSlot: 800_000,
  });
  results.open.push({
    model,
    system: OURS,
    load: 1,
    perSecond: 25,
    seconds: 8,
    offered: 200,
    answered: 180,
    good: 160,
    refused: 20,
    refusedWithRetryAfter: 20,
    failed: 0,
    unfinished: 0,
    firstToken: percentiles,
    interToken: percentiles,
    endToEnd: percentiles,
  });
  results.systems.push({ model, system: OURS, clients: 8, settings: "int8, 2 threads" });
  results.problems.push({
    model,
    system: "FastAPI + PyTorch",
    clients: null,
    reason: "python3 has no torch",
  });
  return results;
}
