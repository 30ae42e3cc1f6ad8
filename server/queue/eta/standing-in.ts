import type { Extent } from "../ticket.js";
import type { Schedule } from "./slots.js";

/** Positions are exact up to this one. Counting further for every arrival would cost too much. */
const NEAR = 256;

/**
 * Position and wait of one entry. Beyond NEAR, the wait is extrapolated from the entries up to there.
 * @param order entries in the order in which they will start; null is one that is not in the line yet
 * @param isIt whether this is the entry that is looked for
 * @param far about which position it has, for an entry beyond NEAR
 */
export function standingIn<E extends { readonly extent: Extent }>(
  order: Iterable<E | null>,
  schedule: Schedule,
  isIt: (entry: E | null) => boolean,
  far: () => number,
): { position: number; waitMs: number } {
  let position = 0;
  for (const entry of order) {
    position++;
    if (isIt(entry)) return { position, waitMs: schedule.nextFree };
    const waitMs = entry === null ? schedule.nextFree : schedule.next(entry.extent);
    if (position < NEAR) continue;
    const about = Math.max(far(), NEAR + 1);
    return { position: about, waitMs: (waitMs / NEAR) * about };
  }
  throw new Error("expected an entry of the line");
}
