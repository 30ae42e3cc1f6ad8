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
/** Memory of a worker's JavaScript heap and the runtime's intermediate results. Measured: 40 MB at 32 sequences. */
const WORKSPACE_BYTES = 64 * MEBIBYTE;

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
  // With several workers on a CPU, the first may have a second session, for a request that runs alone.
  const sessions = (sharing: number) => (device === "cpu" && sharing > 1 ? sharing + 1 : sharing);
  const slots = (bytes: number, sharing: number) => {
    const fixed = PROCESS_BYTES + sessions(sharing) * modelBytes * MODEL_COPIES + sharing * WORKSPACE_BYTES;
    return Math.floor((bytes - fixed) / (cacheBytesPerSlot * sharing));
  };
  // The KV cache is in system memory on every device; during a step a GPU holds a copy of it.
  const inSystem = slots(freeMemory * SHARE.system, workers);
  if (device !== "cuda") return inSystem;
  const least = Math.min(...gpus.map((gpu) => gpu.freeMemory));
  return Math.min(inSystem, slots(least * SHARE.gpu, Math.ceil(workers / gpus.length)));
}
