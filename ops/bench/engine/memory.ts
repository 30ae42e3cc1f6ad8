import { setTimeout as sleep } from "node:timers/promises";
import { Rig } from "./rig.js";

const STEPS = 8;
/** Buffers are freed by another thread, some time after their collection. */
const COLLECTIONS = 5;
const COLLECTION_MS = 50;

export interface MemoryInput {
  folder: string;
  threads: number;
  slots: number;
}

/** Resident bytes of this process while every slot is full. */
export async function memory({ folder, threads, slots }: MemoryInput): Promise<number> {
  const rig = await Rig.open({ folder, threads, slots });
  const sequences = await rig.startAtDepth(slots, rig.shape.context - STEPS - 2);
  for (let i = 0; i < STEPS; i++) await rig.engine.step();
  const rss = await residentBytes();
  await rig.clear(sequences);
  await rig.close();
  return rss;
}

/** Without what is garbage by now; the flag that exposes the collector is set for this process. */
async function residentBytes(): Promise<number> {
  for (let i = 0; i < COLLECTIONS; i++) {
    globalThis.gc?.();
    await sleep(COLLECTION_MS);
  }
  return process.memoryUsage().rss;
}
