import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const LIMIT_MS = 120_000;

export interface LlamaEngineFigures {
  batch: number;
  tokensPerSecond: number;
}

/**
 * Decoding in a llama.cpp engine without its server, from `prompt` to `prompt + answer` tokens deep: its own
 * `llama-batched-bench`, where that was built beside the server.
 * @throws with one line that says why it can't
 */
export async function measureLlamaEngine(
  server: string,
  gguf: string,
  wishes: { threads: number; batches: readonly number[]; prompt: number; answer: number },
): Promise<LlamaEngineFigures[]> {
  const program = join(dirname(server), "llama-batched-bench");
  if (!existsSync(program)) throw new Error("no llama-batched-bench beside the server");
  const { threads, batches, prompt, answer } = wishes;
  const context = Math.max(...batches) * (prompt + answer);
  const sizes = ["-c", context, "-t", threads, "-npp", prompt, "-ntg", answer, "-npl", batches.join(",")];
  const args = ["-m", gguf, ...sizes.map(String), "--output-format", "jsonl"];
  const options = { timeout: LIMIT_MS, maxBuffer: 2 ** 26 };
  const { stdout, stderr } = await promisify(execFile)(program, args, options);
  const figures = parseBatchedBench(`${stdout}\n${stderr}`);
  if (figures.length === 0) throw new Error("llama-batched-bench told no figures");
  return figures;
}

/** The lines of JSON among whatever else it prints, or, of forks that know no JSON, the rows of its table. */
export function parseBatchedBench(output: string): LlamaEngineFigures[] {
  return output.split("\n").flatMap((line) => {
    // | PP | TG | B | N_KV | T_PP s | S_PP t/s | T_TG s | S_TG t/s | T s | S t/s |
    const cells = line.startsWith("|") ? line.split("|").slice(1, -1).map(Number) : [];
    if (cells.length === 10 && cells.every(Number.isFinite))
      return [{ batch: cells[2]!, tokensPerSecond: cells[7]! }];
    if (!line.startsWith("{")) return [];
    const { pl, speed_tg } = JSON.parse(line) as { pl?: unknown; speed_tg?: unknown };
    return typeof pl === "number" && typeof speed_tg === "number"
      ? [{ batch: pl, tokensPerSecond: speed_tg }]
      : [];
  });
}
