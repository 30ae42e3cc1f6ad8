import type { Device } from "../../workers/protocol.js";
import type { Hardware } from "./hardware.js";

/** How much memory a model needs. */
export interface ModelMemory {
  /** Size of the graph and its weights on disk. */
  modelBytes: number;
  /** Size of one sequence's keys and values over the whole context. */
  cacheBytesPerSlot: number;
}

const MEBIBYTE = 2 ** 20;
/** Share of the free memory that is used; the rest is for the system and other processes. */
const SHARE = { system: 0.5, gpu: 0.8 } as const;
/** The runtime keeps the weights and rearranged copies of some of them. */
const MODEL_COPIES = 2;
/** Memory of the server without its workers. Measured: 150 to 170 MB under load. */
const PROCESS_BYTES = 192 * MEBIBYTE;
/** Memory of a worker's JavaScript heap, the runtime's intermediate results (measured: 40 MB at 32 sequences) and kept prefixes. */
const WORKSPACE_BYTES = 64 * MEBIBYTE;
/** Most memory, and most places, for prefixes of prompts that a worker keeps beside its slots. */
const KEPT_BYTES = 16 * MEBIBYTE;
const MOST_KEPT = 32;

/**
 * A worker's heap holds its tokenizer and its forms; the cache and the weights lie outside. Far more than both need, so that
 * only what runs away is ended.
 */
const HEAP_MEBIBYTES = 512;
const HEAP_MEBIBYTES_PER_THOUSAND_TOKENS = 4;

/**
 * How large a worker's JavaScript heap may grow, in MiB; V8 ends a worker beyond that.
 * @param vocabulary number of tokens
 */
export const heapMegabytes = (vocabulary: number): number =>
  HEAP_MEBIBYTES + Math.ceil((HEAP_MEBIBYTES_PER_THOUSAND_TOKENS * vocabulary) / 1000);

/**
 * Memory that the process should stay below, in bytes: the share of what was free at the start, or what workers and slots
 * that were set are known to need, if that is more.
 */
export function memoryBudget(
  { freeMemory }: Pick<Hardware, "freeMemory">,
  plan: PlannedSlots,
  model: ModelMemory,
): number {
  return Math.round(Math.max(freeMemory * SHARE.system, neededMemory(plan, model)));
}

interface PlannedSlots {
  workers: number;
  slotsPerWorker: number;
  threads: number;
  /** More than `threads` if the first worker has a second session. */
  threadsAlone: number;
}

/** Memory of a process whose slots are all full, in bytes. */
export function neededMemory(
  { workers, slotsPerWorker, threads, threadsAlone }: PlannedSlots,
  { modelBytes, cacheBytesPerSlot }: ModelMemory,
): number {
  const sessions = threadsAlone > threads ? workers + 1 : workers;
  return fixedBytes(workers, sessions, modelBytes) + workers * slotsPerWorker * cacheBytesPerSlot;
}

/** Whether memory holds a worker of one slot that has a second session. */
export function holdsTwoSessions({ freeMemory }: Pick<Hardware, "freeMemory">, model: ModelMemory): boolean {
  const plan = { workers: 1, slotsPerWorker: 1, threads: 1, threadsAlone: 2 };
  return neededMemory(plan, model) <= freeMemory * SHARE.system;
}

/** The same hardware with so little free memory that a plan for it keeps within `budget`, in bytes. */
export function within(hardware: Hardware, budget: number | "auto"): Hardware {
  if (budget === "auto") return hardware;
  return { ...hardware, freeMemory: Math.min(hardware.freeMemory, budget / SHARE.system) };
}

/** Memory of a process without its caches. */
function fixedBytes(workers: number, sessions: number, modelBytes: number): number {
  return PROCESS_BYTES + sessions * modelBytes * MODEL_COPIES + workers * WORKSPACE_BYTES;
}

/** How many prefixes of prompts a worker keeps beside its slots, such as system prompts and earlier turns. */
export function keptPrefixes({ cacheBytesPerSlot }: Pick<ModelMemory, "cacheBytesPerSlot">): number {
  return Math.min(MOST_KEPT, Math.floor(KEPT_BYTES / cacheBytesPerSlot));
}

/**
 * How many slots per worker fit into memory, beside each worker's copy of the weights; less than 1 if not even one
 * fits.
 */
export function slotsInMemory(
  { freeMemory, gpus }: Pick<Hardware, "freeMemory" | "gpus">,
  device: Device,
  workers: number,
  { modelBytes, cacheBytesPerSlot }: ModelMemory,
): number {
  const slots = (bytes: number, sharing: number) => {
    // With several workers on a CPU, the first may have a second session, for a request that runs alone.
    const sessions = device === "cpu" && sharing > 1 ? sharing + 1 : sharing;
    return Math.floor((bytes - fixedBytes(sharing, sessions, modelBytes)) / (cacheBytesPerSlot * sharing));
  };
  // The KV cache is in system memory on every device; during a step a GPU holds a copy of it.
  const inSystem = slots(freeMemory * SHARE.system, workers);
  if (device !== "cuda") return inSystem;
  const least = Math.min(...gpus.map((gpu) => gpu.freeMemory));
  return Math.min(inSystem, slots(least * SHARE.gpu, Math.ceil(workers / gpus.length)));
}
