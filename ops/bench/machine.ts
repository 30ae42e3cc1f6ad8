import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../../server/settings/config.js";
import type { Machine } from "./results/results.js";

/** Instruction sets that decide which kernels the runtimes use. */
const TELLING = /^(avx2|fma|avx512f|avx512_vnni|avx_vnni|avx512_bf16|amx_int8|asimddp|i8mm)$/;

export function describeMachine(): Machine {
  const cpuinfo = "/proc/cpuinfo";
  const text = existsSync(cpuinfo) ? readFileSync(cpuinfo, "utf8") : "";
  const flags = /^(?:flags|Features)\s*: (.*)$/m.exec(text)?.[1] ?? "";
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    instructions: flags.split(" ").filter((name) => TELLING.test(name)),
  };
}

export function describeVersions(): Record<string, string> {
  const versionOf = (file: string) => (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
  const require = createRequire(import.meta.url);
  return {
    "jai-server": versionOf(join(packageRoot, "package.json")),
    node: process.version,
    "onnxruntime-node": versionOf(require.resolve("onnxruntime-node/package.json")),
  };
}
