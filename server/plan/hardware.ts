import { execFile } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, freemem } from "node:os";
import { dirname, join } from "node:path";
import { cgroups, type ReadText, readText, roomIn } from "./cgroups.js";

/** The part of the machine that this process may use. */
export interface Hardware {
  /** Node's names, like `linux/x64`. */
  platform: string;
  /** Number of cores; a fraction if a control group's quota is one. */
  cores: number;
  /** Memory that can still be allocated, in bytes. */
  freeMemory: number;
  /** The GPUs that CUDA shows to this process, in CUDA's order: the index is the device id. */
  gpus: Gpu[];
  /** Whether onnxruntime-node's CUDA provider library is installed. */
  cudaLibrary: boolean;
}

export interface Gpu {
  name: string;
  totalMemory: number;
  freeMemory: number;
}

const MEBIBYTE = 2 ** 20;
const NVIDIA_SMI_TIMEOUT_MS = 5000;

/** Examines the machine. Hardware that can't be detected counts as absent. */
export async function probeHardware(environment = process.env): Promise<Hardware> {
  const limits = cgroupLimits(readText);
  return {
    platform: `${process.platform}/${process.arch}`,
    cores: Math.min(allowedCores(readText("/proc/self/status")) ?? availableParallelism(), limits.cores),
    freeMemory: Math.max(
      0,
      Math.min(systemFreeMemory(readText("/proc/meminfo")) ?? freemem(), limits.freeMemory),
    ),
    gpus: visibleGpus(parseGpus(await queryGpus()), environment.CUDA_VISIBLE_DEVICES),
    cudaLibrary: hasCudaLibrary(),
  };
}

/** GPUs as nvidia-smi lists them, before CUDA_VISIBLE_DEVICES. */
export interface ListedGpu extends Gpu {
  index: number;
  uuid: string;
}

/** Reads `nvidia-smi --query-gpu=index,uuid,name,memory.total,memory.free --format=csv,noheader,nounits`. */
export function parseGpus(output: string): ListedGpu[] {
  return output.split("\n").flatMap((line) => {
    const match = /^(\d+), (\S+), (.+), (\d+), (\d+)$/.exec(line.trim());
    if (match === null) return [];
    const [, index, uuid, name, total, free] = match as unknown as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    return [
      {
        index: Number(index),
        uuid,
        name,
        totalMemory: Number(total) * MEBIBYTE,
        freeMemory: Number(free) * MEBIBYTE,
      },
    ];
  });
}

/**
 * The GPUs that CUDA shows for a value of CUDA_VISIBLE_DEVICES, in its order. The value lists indices or (prefixes of)
 * UUIDs, and ends at the first unknown or repeated one. Unset shows all GPUs, empty none.
 */
export function visibleGpus(listed: readonly ListedGpu[], variable: string | undefined): Gpu[] {
  const plain = ({ name, totalMemory, freeMemory }: ListedGpu): Gpu => ({ name, totalMemory, freeMemory });
  if (variable === undefined) return listed.map(plain);
  const visible = new Set<ListedGpu>();
  for (const wanted of variable.split(",").map((entry) => entry.trim())) {
    const gpu = listed.find(({ index, uuid }) =>
      /^\d+$/.test(wanted) ? index === Number(wanted) : wanted.startsWith("GPU-") && uuid.startsWith(wanted),
    );
    if (gpu === undefined || visible.has(gpu)) break;
    visible.add(gpu);
  }
  return [...visible].map(plain);
}

function queryGpus(): Promise<string> {
  const query = ["--query-gpu=index,uuid,name,memory.total,memory.free", "--format=csv,noheader,nounits"];
  return new Promise((resolve) => {
    execFile("nvidia-smi", query, { timeout: NVIDIA_SMI_TIMEOUT_MS }, (error, stdout) => {
      // Without a driver, on an error or a timeout, there is no usable GPU.
      resolve(error === null ? stdout : "");
    });
  });
}

/** Looks in the folder where onnxruntime-node's install script, run by `npm run setup:cuda`, puts the library. */
function hasCudaLibrary(): boolean {
  try {
    const root = dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
    return readdirSync(join(root, "bin")).some((version) =>
      existsSync(
        join(root, "bin", version, process.platform, process.arch, "libonnxruntime_providers_cuda.so"),
      ),
    );
  } catch {
    return false;
  }
}

/** `MemAvailable` of /proc/meminfo, in bytes: free memory plus caches that the system would drop. */
export function systemFreeMemory(meminfo: string | null): number | null {
  const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo ?? "")?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}

/**
 * Number of cores in /proc/self/status that this process may run on, whatever its quota. (In Node 22 and later,
 * `availableParallelism` is the rounded quota of the control group.)
 */
export function allowedCores(status: string | null): number | null {
  const list = /^Cpus_allowed_list:\s*(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)$/m.exec(status ?? "")?.[1];
  if (list === undefined) return null;
  return list
    .split(",")
    .map((range) => range.split("-").map(Number))
    .reduce((sum, [first = 0, last = first]) => sum + last - first + 1, 0);
}

/**
 * The tightest limits of this process's control groups, version 1 or 2; infinite without limits. (Node 20 counts the
 * machine's cores, whatever a container's quota.)
 */
export function cgroupLimits(read: ReadText): { cores: number; freeMemory: number } {
  let cores = Number.POSITIVE_INFINITY;
  let freeMemory = Number.POSITIVE_INFINITY;
  for (const group of cgroups(read)) {
    const [quota, period] = group.version1
      ? [group.number("cpu.cfs_quota_us"), group.number("cpu.cfs_period_us")]
      : (group.read("cpu.max") ?? "").split(" ").map((part) => (/^\d+\s*$/.test(part) ? Number(part) : null));
    if (quota != null && period != null && period > 0) cores = Math.min(cores, quota / period);
    freeMemory = Math.min(freeMemory, roomIn(group, ["inactive_file"])?.free ?? freeMemory);
  }
  return { cores, freeMemory };
}
