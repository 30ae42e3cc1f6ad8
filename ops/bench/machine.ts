import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../../server/settings/config.js";

export interface Machine {
  processor: string;
  /** That this process may use. */
  cores: number;
  memoryBytes: number;
  system: string;
  /** Instruction sets that the arithmetic kernels choose by, where the system tells. */
  instructions: string[];
  /** As the system says, such as "L3 32 MB"; empty where it doesn't. */
  caches: string[];
}

export interface Versions {
  "jai-server": string;
  node: string;
  "onnxruntime-node": string;
}

const TELLING = [
  "avx2",
  "fma",
  "avx512f",
  "avx512_vnni",
  "avx_vnni",
  "avx512_bf16",
  "amx_int8",
  "asimddp",
  "i8mm",
];

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    instructions: instructions(),
    caches: caches(),
  };
}

export function describeVersions(): Versions {
  const versionOf = (file: string) => (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
  const require = createRequire(import.meta.url);
  return {
    "jai-server": versionOf(join(packageRoot, "package.json")),
    node: process.version,
    "onnxruntime-node": versionOf(require.resolve("onnxruntime-node/package.json")),
  };
}

function instructions(): string[] {
  const flags = /^(?:flags|Features)\s*: (.*)$/m.exec(readSystemFile("/proc/cpuinfo"))?.[1]?.split(" ") ?? [];
  return TELLING.filter((name) => flags.includes(name));
}

function caches(): string[] {
  return [0, 1, 2, 3].flatMap((index) => {
    const read = (name: string) =>
      readSystemFile(`/sys/devices/system/cpu/cpu0/cache/index${index}/${name}`).trim();
    const [level, kind, size] = [read("level"), read("type"), read("size")];
    return size === "" || kind === "Instruction" ? [] : [`L${level} ${size.replace(/(\d)K$/, "$1 KB")}`];
  });
}

/** Empty where the system has no such file. */
function readSystemFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
