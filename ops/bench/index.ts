import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { readModelFolder } from "../../models/folder.js";
import { settings, UsageError } from "../../server/config.js";
import { ServerProcess } from "../server-process.js";
import { benchEngine } from "./engine.js";
import { benchServing } from "./serving.js";
import { type Measurement, percentile, type Workload } from "./workload.js";

export const usage = [
  "Usage: jai bench [FLAGS]",
  "",
  "  --model DIR          the model folder; default: the one that jai serve takes",
  "  --clients N,N,…      how many ask at once, one measurement for each; default 1,8,32",
  "  --tokens N           tokens of every answer; default 150",
  "  --rounds N           requests of every client; default 6",
  "  --repeats N          measurements, of which the median counts; default 3",
].join("\n");

/**
 * `jai bench`: the same closed-loop workload over HTTP, against a server in a process of its own, and in the engine alone;
 * in turns, so that a change in the machine's speed meets both. The clients share the machine with the server.
 */
export async function run(args: string[]): Promise<void> {
  const values = read(args);
  const clientCounts = values.clients.split(",").map(Number);
  const [tokens, rounds, repeats] = [values.tokens, values.rounds, values.repeats].map(Number) as [
    number,
    number,
    number,
  ];
  if (![...clientCounts, tokens, rounds, repeats].every((value) => Number.isInteger(value) && value > 0)) {
    throw new UsageError("expected positive integers");
  }

  const model = readModelFolder(values.model);
  const threads = availableParallelism();
  const { name, precision, vocab_size, n_layer, n_embd, n_positions } = model.config;
  print(
    `${name}: ${precision}, ${n_layer} layers, ${n_embd} wide, context ${n_positions}, vocabulary ${vocab_size}`,
  );
  print(`${threads} threads, ${tokens} tokens a request, ${repeats} repeats; medians\n`);
  print("clients   HTTP tok/s   engine tok/s   share   latency p50   p99 (ms)");
  for (const clients of clientCounts) {
    const workload: Workload = { clients, requests: clients * rounds, tokens };
    const served: Measurement[] = [];
    const alone: Measurement[] = [];
    const server = await ServerProcess.ready(values.model, { JAI_CONCURRENCY: String(clients) });
    try {
      for (let repeat = 0; repeat < repeats; repeat++) {
        served.push(await benchServing(server, workload));
        alone.push(await benchEngine(model, threads, workload));
      }
    } finally {
      await server.stop();
    }
    const rates = (runs: Measurement[]) => runs.map(({ tokensPerSecond }) => tokensPerSecond);
    const median = (values: number[]) => percentile(values, 0.5);
    // Of neighbours in time, since the machine's own speed drifts.
    const share = median(rates(served).map((rate, i) => rate / rates(alone)[i]!));
    const latencies = served.flatMap((run) => run.latencies);
    print(
      [
        String(clients).padStart(7),
        median(rates(served)).toFixed(0).padStart(10),
        median(rates(alone)).toFixed(0).padStart(12),
        `${(100 * share).toFixed(1)} %`.padStart(8),
        percentile(latencies, 0.5).toFixed(0).padStart(10),
        percentile(latencies, 0.99).toFixed(0).padStart(8),
      ].join("   "),
    );
  }
}

function read(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        model: { type: "string", default: settings.model.default },
        clients: { type: "string", default: "1,8,32" },
        tokens: { type: "string", default: "150" },
        rounds: { type: "string", default: "6" },
        repeats: { type: "string", default: "3" },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message.split("\n")[0]);
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
