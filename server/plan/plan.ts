import type { ModelConfig } from "../../models/config.js";
import type { Device } from "../../workers/protocol.js";
import { type Config, ConfigError } from "../settings/config.js";
import { busyThreads, shareCores } from "./cores.js";
import type { Gpu, Hardware } from "./hardware.js";
import { holdsTwoSessions, type ModelMemory, slotsInMemory } from "./memory.js";

/** How a model is run on a machine. */
export interface Plan {
  device: Device;
  /** The device id of each worker; on the CPU all 0. */
  deviceIds: number[];
  workers: number;
  slotsPerWorker: number;
  /** Sequences in flight over all workers. */
  concurrency: number;
  /** Native threads of each worker. */
  threads: number;
  /** Native threads of the first worker while no other worker has a sequence. */
  threadsAlone: number;
  /** One sentence for each choice and its reason, for the log and `/health`. */
  reasons: string[];
}

export interface ModelSize extends ModelMemory {
  precision: ModelConfig["precision"];
}

export type Wishes = Pick<Config, "device" | "workers" | "concurrency" | "threads">;

/**
 * Slots of a worker at most: larger batches barely raise the throughput, and slow each sequence down. A CPU worker with
 * one thread writes only 5 % more tokens at 64 sequences than at 32, and each sequence waits twice as long for a token.
 */
const MOST_SLOTS = { cpu: 64, webgpu: 64, cuda: 256 } as const;
const MOST_SLOTS_OF_ONE_THREAD = 32;
/**
 * A lone request gets this many times a worker's threads. More would mostly wait, since a step of one sequence is
 * short.
 */
const WIDENED = 4;
/** If memory is short, this many slots per worker come before another worker. */
const LEAST_SLOTS = 16;
const FOR_GPUS = "importing it with --precision fp32";

/**
 * Chooses device, workers, slots and threads; a pure function of its arguments.
 * @throws ConfigError if this hardware can't fulfil a wish
 */
export function planDevices(hardware: Hardware, wishes: Wishes, model: ModelSize): Plan {
  const reasons: string[] = [];
  const device = chooseDevice(hardware, wishes, model, reasons);
  const devices = device === "cuda" ? hardware.gpus.length : 1;
  const workers = chooseWorkers(hardware, device, devices, wishes, model, reasons);
  const threads = chooseThreads(hardware, { device, workers }, wishes, model, reasons);
  const threadsAlone = chooseThreadsAlone(hardware, { device, threads }, wishes, reasons);
  const deviceIds = Array.from({ length: workers }, (_, worker) => worker % devices);
  const slotsPerWorker = chooseSlots(hardware, { device, workers, threads }, wishes, model, reasons);
  const concurrency = wishes.concurrency === "auto" ? slotsPerWorker * workers : wishes.concurrency;
  return { device, deviceIds, workers, slotsPerWorker, concurrency, threads, threadsAlone, reasons };
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
        `JAI_DEVICE: expected linux/x64 for cuda, the only platform with ONNX Runtime's CUDA libraries, got ${platform}`,
      );
    if (!cudaLibrary)
      throw new ConfigError(
        "JAI_DEVICE: expected ONNX Runtime's CUDA libraries for cuda, got none; install them with: npm run setup:cuda",
      );
    if (gpus.length === 0)
      throw new ConfigError(
        "JAI_DEVICE: expected a GPU for cuda, listed by nvidia-smi and not hidden by CUDA_VISIBLE_DEVICES, got none",
      );
    const warning =
      precision === "int8"
        ? `; but the model's int8 operators run on the CPU even so: ${FOR_GPUS} lets the model use GPUs`
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
      `CPU, since the model's int8 operators run only there; ${FOR_GPUS} lets the model use ${describeGpus(gpus)}.`,
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

function chooseWorkers(
  hardware: Hardware,
  device: Device,
  devices: number,
  wishes: Wishes,
  model: ModelSize,
  reasons: string[],
): number {
  const { workers, concurrency, threads } = wishes;
  if (workers === "auto" && device === "cpu") {
    const { cores } = hardware;
    const fits = (sharing: number) =>
      slotsInMemory(hardware, device, sharing, model) >=
      (concurrency === "auto" ? LEAST_SLOTS : Math.min(LEAST_SLOTS, Math.ceil(concurrency / sharing)));
    const { workers: chosen, why } = shareCores({ ...model, cores, threads, concurrency, fits });
    reasons.push(`${count(chosen, "worker")}, ${why}.`);
    return chosen;
  }
  if (workers === "auto") {
    // With more workers than sequences in flight, some would never have work.
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
    device !== "cpu" && workers > devices
      ? `${count(workers, "worker")}, as set, on ${count(devices, device === "cuda" ? "GPU" : "device")}: each holds its own copy of the weights, and one wider batch is usually faster.`
      : `${count(workers, "worker")}, as set.`,
  );
  return workers;
}

function chooseThreads(
  hardware: Hardware,
  { device, workers }: Pick<Plan, "device" | "workers">,
  { threads, concurrency }: Wishes,
  model: ModelSize,
  reasons: string[],
): number {
  if (threads !== "auto") {
    reasons.push(`${count(threads, "thread")} a worker, as set.`);
    return threads;
  }
  const { cores } = hardware;
  const busy = busyThreads(model.modelBytes);
  // Beside other processes, a step that waits for several threads may take several times as long as on one.
  if (
    device === "cpu" &&
    concurrency === 1 &&
    busy < Math.floor(cores) &&
    holdsTwoSessions(hardware, model)
  ) {
    reasons.push(`${count(busy, "thread")}: the weights keep no more busy.`);
    return busy;
  }
  const chosen = Math.max(1, Math.floor(cores / workers));
  reasons.push(`${count(chosen, "thread")} a worker, from ${count(Number(cores.toFixed(2)), "core")}.`);
  return chosen;
}

/**
 * More threads for a request that runs alone, which would otherwise leave other cores idle. Only whole cores count:
 * threads that wait for each other spin, which would use up a quota.
 */
function chooseThreadsAlone(
  { cores }: Hardware,
  { device, threads }: Pick<Plan, "device" | "threads">,
  wishes: Wishes,
  reasons: string[],
): number {
  const alone = Math.min(Math.floor(cores), WIDENED * threads);
  if (device !== "cpu" || wishes.threads !== "auto" || alone <= threads) return threads;
  reasons.push(`${count(alone, "thread")} for a request that runs alone, where they make it faster.`);
  return alone;
}

function chooseSlots(
  hardware: Hardware,
  { device, workers, threads }: Pick<Plan, "device" | "workers" | "threads">,
  { concurrency }: Wishes,
  model: ModelSize,
  reasons: string[],
): number {
  const holds = slotsInMemory(hardware, device, workers, model);
  const slot = `${mebibytes(model.cacheBytesPerSlot)} of cache each`;
  if (concurrency === "auto") {
    const most = device === "cpu" && threads === 1 ? MOST_SLOTS_OF_ONE_THREAD : MOST_SLOTS[device];
    const slots = Math.min(Math.max(1, holds), most);
    const why =
      holds < 1
        ? "the minimum, although memory may not hold it"
        : holds < most
          ? "as many as free memory holds"
          : "beyond which a batch gains nothing";
    reasons.push(`${count(slots, "sequence")} at once a worker (${slot}), ${why}.`);
    return slots;
  }
  const slots = Math.ceil(concurrency / workers);
  const together = slots * workers > concurrency ? `, ${concurrency} over all workers` : "";
  const warning = slots > holds ? `; free memory holds about ${Math.max(0, holds)} a worker` : "";
  reasons.push(`${count(slots, "sequence")} at once a worker (${slot}), as set${together}${warning}.`);
  return slots;
}

function describeGpus(gpus: readonly Gpu[]): string {
  const names = new Set(gpus.map((gpu) => gpu.name));
  return `${count(gpus.length, "GPU")} (${[...names].join(", ")})`;
}

const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
