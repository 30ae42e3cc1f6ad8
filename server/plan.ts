import type { ModelConfig } from "../models/folder.js";
import type { Device } from "../workers/protocol.js";
import { type Config, ConfigError } from "./config.js";
import type { Gpu, Hardware } from "./hardware.js";

/** How a model is spread over a machine. */
export interface Plan {
  device: Device;
  /** One for each worker; on the CPU all 0. */
  deviceIds: number[];
  workers: number;
  slotsPerWorker: number;
  /** Sequences in flight over all workers. */
  concurrency: number;
  /** Native threads of each worker. */
  threads: number;
  /** What was chosen and why, a sentence each, for the log and `/health`. */
  reasons: string[];
}

export interface ModelSize {
  precision: ModelConfig["precision"];
  /** The graph and its weights on disk. */
  modelBytes: number;
  /** Keys and values of one sequence over the whole context. */
  cacheBytesPerSlot: number;
}

export type Wishes = Pick<Config, "device" | "workers" | "concurrency" | "threads">;

/** More sequences in one batch raise the throughput of a few cores no further, and only slow each other down. */
const MOST_SLOTS = { cpu: 64, webgpu: 64, cuda: 256 } as const;
/** Of the free memory; the rest is left to the system and to what else runs. */
const SHARE = { system: 0.5, gpu: 0.8 } as const;
/** The runtime keeps rearranged copies of some weights beside the weights. */
const MODEL_COPIES = 2;
/** The process itself and the arithmetic's intermediate results, for each worker. */
const WORKSPACE_BYTES = 256 * 2 ** 20;
const FOR_GPUS = "importing it with --precision fp32";

/**
 * Chooses device, workers, slots and threads. Depends on its arguments alone.
 * @throws ConfigError where a wish can't be granted on this hardware
 */
export function planDevices(hardware: Hardware, wishes: Wishes, model: ModelSize): Plan {
  const reasons: string[] = [];
  const device = chooseDevice(hardware, wishes, model, reasons);
  const devices = device === "cuda" ? hardware.gpus.length : 1;
  const workers = chooseWorkers(device, devices, wishes, reasons);
  const threads = chooseThreads(hardware, workers, wishes, reasons);
  const deviceIds = Array.from({ length: workers }, (_, worker) => worker % devices);
  const slotsPerWorker = chooseSlots(hardware, device, workers, wishes, model, reasons);
  return {
    device,
    deviceIds,
    workers,
    slotsPerWorker,
    concurrency: slotsPerWorker * workers,
    threads,
    reasons,
  };
}

function chooseDevice(
  hardware: Hardware,
  { device }: Wishes,
  { precision }: ModelSize,
  reasons: string[],
): Device {
  const { platform, gpus, cudaLibrary } = hardware;
  if (device === "cuda") {
    if (platform !== "linux/x64")
      throw new ConfigError(
        `JAI_DEVICE: expected linux/x64 for cuda, which ONNX Runtime has no CUDA libraries beyond, got ${platform}`,
      );
    if (!cudaLibrary)
      throw new ConfigError(
        "JAI_DEVICE: expected ONNX Runtime's CUDA libraries for cuda, got none; install them with: npm run setup:cuda",
      );
    if (gpus.length === 0)
      throw new ConfigError(
        "JAI_DEVICE: expected a GPU for cuda, got none that nvidia-smi lists and CUDA_VISIBLE_DEVICES shows",
      );
    const warning =
      precision === "int8"
        ? `; the model is int8, whose operators run on the CPU all the same: ${FOR_GPUS} makes it one for GPUs`
        : "";
    reasons.push(`CUDA, as set, on ${describeGpus(gpus)}${warning}.`);
    return device;
  }
  if (device !== "auto") {
    reasons.push(`${device === "cpu" ? "CPU" : "WebGPU"}, as set.`);
    return device;
  }
  // MatMulIntegerToFloat has no CUDA kernel: each product would carry its inputs and output to the CPU and back.
  if (gpus.length > 0 && platform === "linux/x64" && precision === "int8") {
    reasons.push(
      `CPU, since the model is int8, whose operators run there; ${FOR_GPUS} makes it one for ${describeGpus(gpus)}.`,
    );
    return "cpu";
  }
  if (gpus.length > 0 && cudaLibrary) {
    reasons.push(`CUDA, since its libraries are installed and there is ${describeGpus(gpus)}.`);
    return "cuda";
  }
  if (gpus.length > 0 && platform === "linux/x64")
    reasons.push(
      `CPU, since the CUDA libraries for ${describeGpus(gpus)} are not installed (npm run setup:cuda installs them).`,
    );
  else reasons.push(`CPU, since there is no ${gpus.length > 0 ? "CUDA build for this system" : "CUDA GPU"}.`);
  return "cpu";
}

function chooseWorkers(device: Device, devices: number, wishes: Wishes, reasons: string[]): number {
  const { workers, concurrency } = wishes;
  if (workers === "auto") {
    // More workers than sequences in flight could never all have work.
    const chosen = concurrency === "auto" ? devices : Math.min(devices, concurrency);
    const why = chosen < devices ? "as many as sequences in flight" : "one for each device";
    reasons.push(`${count(chosen, "worker")}, ${why}.`);
    return chosen;
  }
  if (concurrency !== "auto" && concurrency < workers)
    throw new ConfigError(
      `JAI_CONCURRENCY: expected at least one for each of ${workers} workers, got ${concurrency}`,
    );
  reasons.push(
    workers > devices
      ? `${count(workers, "worker")}, as set, on ${count(devices, device === "cuda" ? "GPU" : "device")}: each holds a copy of the weights of its own, and one wider batch is usually faster.`
      : `${count(workers, "worker")}, as set.`,
  );
  return workers;
}

function chooseThreads({ cores }: Hardware, workers: number, { threads }: Wishes, reasons: string[]): number {
  if (threads !== "auto") {
    reasons.push(`${count(threads, "thread")} a worker, as set.`);
    return threads;
  }
  const chosen = Math.max(1, Math.floor(cores / workers));
  reasons.push(`${count(chosen, "thread")} a worker, from ${count(cores, "core")}.`);
  return chosen;
}

function chooseSlots(
  hardware: Hardware,
  device: Device,
  workers: number,
  { concurrency }: Wishes,
  model: ModelSize,
  reasons: string[],
): number {
  const holds = slotsInMemory(hardware, device, workers, model);
  const slot = `${megabytes(model.cacheBytesPerSlot)} of cache each`;
  if (concurrency === "auto") {
    const slots = Math.min(Math.max(1, holds), MOST_SLOTS[device]);
    const why =
      holds < 1
        ? "the least, although memory may not hold it"
        : holds < MOST_SLOTS[device]
          ? "what free memory holds"
          : "beyond which a batch gains nothing";
    reasons.push(`${count(slots, "sequence")} at once a worker (${slot}), ${why}.`);
    return slots;
  }
  const slots = Math.floor(concurrency / workers);
  const rounded =
    slots * workers < concurrency ? `, rounded down from ${concurrency} to share out evenly` : "";
  const warning = slots > holds ? `; free memory holds about ${Math.max(0, holds)} a worker` : "";
  reasons.push(`${count(slots, "sequence")} at once a worker (${slot}), as set${rounded}${warning}.`);
  return slots;
}

/** Slots of each worker that fit into memory, beside the model; less than 1 where not even one does. */
function slotsInMemory(hardware: Hardware, device: Device, workers: number, model: ModelSize): number {
  const fixed = model.modelBytes * MODEL_COPIES + WORKSPACE_BYTES;
  const slots = (bytes: number, share: number, sharing: number) =>
    Math.floor((bytes * share - fixed * sharing) / (model.cacheBytesPerSlot * sharing));
  // The cache lies in system memory on every device; a GPU holds a copy of it during a step.
  const inSystem = slots(hardware.freeMemory, SHARE.system, workers);
  if (device !== "cuda") return inSystem;
  const sharing = Math.ceil(workers / hardware.gpus.length);
  const least = Math.min(...hardware.gpus.map((gpu) => gpu.freeMemory));
  return Math.min(inSystem, slots(least, SHARE.gpu, sharing));
}

function describeGpus(gpus: readonly Gpu[]): string {
  const names = new Set(gpus.map((gpu) => gpu.name));
  return `${count(gpus.length, "GPU")} (${[...names].join(", ")})`;
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;

const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MB`;
