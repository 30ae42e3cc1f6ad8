import type { Device } from "../../workers/protocol.js";
import type { Hardware } from "./hardware.js";

/** A model's needs of memory. */
export interface ModelMemory {
  /** The graph and its weights on disk. */
  modelBytes: number;
  /** Keys and values of one sequence over the whole context. */
  cacheBytesPerSlot: number;
}

const MEBIBYTE = 2 ** 20;
/** Of the free memory; the rest is left to the system and to what else runs. */
const SHARE = { system: 0.5, gpu: 0.8 } as const;
/** The runtime keeps rearranged copies of some weights beside the weights. */
const MODEL_COPIES = 2;
/** The server without its workers. Measured: 150 to 170 MB under load. */
const PROCESS_BYTES = 192 * MEBIBYTE;
/** A worker's JavaScript heap and the arithmetic's intermediate results. Measured: 40 MB at 32 sequences. */
const WORKSPACE_BYTES = 64 * MEBIBYTE;

/**
 * Slots of each worker that fit into memory, beside the copy of the weights that each worker has; less than 1 where not
 * even one does.
 */
export function slotsInMemory(
  { freeMemory, gpus }: Pick<Hardware, "freeMemory" | "gpus">,
  device: Device,
  workers: number,
  { modelBytes, cacheBytesPerSlot }: ModelMemory,
): number {
  // Of several workers on a CPU the first may have a second session, for a request that runs alone.
  const sessions = (sharing: number) => (device === "cpu" && sharing > 1 ? sharing + 1 : sharing);
  const slots = (bytes: number, sharing: number) => {
    const fixed = PROCESS_BYTES + sessions(sharing) * modelBytes * MODEL_COPIES + sharing * WORKSPACE_BYTES;
    return Math.floor((bytes - fixed) / (cacheBytesPerSlot * sharing));
  };
  // The cache lies in system memory on every device; a GPU holds a copy of it during a step.
  const inSystem = slots(freeMemory * SHARE.system, workers);
  if (device !== "cuda") return inSystem;
  const least = Math.min(...gpus.map((gpu) => gpu.freeMemory));
  return Math.min(inSystem, slots(least * SHARE.gpu, Math.ceil(workers / gpus.length)));
}
