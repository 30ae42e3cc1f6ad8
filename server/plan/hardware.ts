import { execFile } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, freemem } from "node:os";
import { dirname, join, posix } from "node:path";

/** The part of the machine that this process may use. */
export interface Hardware {
  /** `linux/x64` and the like, as Node names them. */
  platform: string;
  /** Cores' worth of computing time; a fraction where a control group's quota is one. */
  cores: number;
  /** Memory that can still be had, in bytes. */
  freeMemory: number;
  /** The GPUs that CUDA shows to this process, in its order: the position is the device id. */
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

/** Looks at the machine. What can't be found out counts as not there. */
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
 * The GPUs that CUDA would show under this value of CUDA_VISIBLE_DEVICES, in its order: a list of indices or (starts of)
 * UUIDs, which ends at the first that names none or comes again. Unset, all are visible; empty, none.
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
      // No driver, no answer in time, or an answer that is an error: no GPU to run on.
      resolve(error === null ? stdout : "");
    });
  });
}

/** The folder is that of onnxruntime-node's install script, which `npm run setup:cuda` runs. */
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

/** `MemAvailable` of /proc/meminfo, in bytes: free memory, and what the system would give back for it. */
export function systemFreeMemory(meminfo: string | null): number | null {
  const kibibytes = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo ?? "")?.[1];
  return kibibytes === undefined ? null : Number(kibibytes) * 1024;
}

/**
 * The cores that /proc/self/status allows this process, whatever part of their time: Node 22 and later have
 * `availableParallelism` round a control group's quota.
 */
export function allowedCores(status: string | null): number | null {
  const list = /^Cpus_allowed_list:\s*(\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)$/m.exec(status ?? "")?.[1];
  if (list === undefined) return null;
  return list
    .split(",")
    .map((range) => range.split("-").map(Number))
    .reduce((sum, [first = 0, last = first]) => sum + last - first + 1, 0);
}

/** The text of a file, or null where it is not there. */
export type ReadText = (path: string) => string | null;

const readText: ReadText = (path) => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
};

/**
 * The tightest limits of the control groups, of either version, that this process is in; infinite without any. Node 20
 * counts the machine's cores, whatever part of their time a container gets.
 */
export function cgroupLimits(read: ReadText): { cores: number; freeMemory: number } {
  let cores = Number.POSITIVE_INFINITY;
  let freeMemory = Number.POSITIVE_INFINITY;
  const number = (path: string) => {
    const text = read(path)?.trim();
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
  };
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    const mount = controllers === "" ? "/sys/fs/cgroup" : `/sys/fs/cgroup/${controllers}`;
    const version1 = controllers !== "";
    // A container may see its own group as the root, so every group up to the root is asked.
    for (let group = posix.join("/", path); ; group = posix.dirname(group)) {
      const file = (name: string) => posix.join(mount, group, name);
      const [quota, period] = version1
        ? [number(file("cpu.cfs_quota_us")), number(file("cpu.cfs_period_us"))]
        : (read(file("cpu.max")) ?? "")
            .split(" ")
            .map((part) => (/^\d+\s*$/.test(part) ? Number(part) : null));
      if (quota != null && period != null && period > 0) cores = Math.min(cores, quota / period);

      const limit = number(file(version1 ? "memory.limit_in_bytes" : "memory.max"));
      const used = number(file(version1 ? "memory.usage_in_bytes" : "memory.current"));
      if (limit !== null && used !== null) {
        // Cached files count as used, yet are given up first.
        const cached = /^(?:total_)?inactive_file (\d+)$/m.exec(read(file("memory.stat")) ?? "")?.[1];
        freeMemory = Math.min(freeMemory, limit - used + Number(cached ?? 0));
      }
      if (group === "/") break;
    }
  }
  return { cores, freeMemory };
}
