/** About a millisecond of work on records. */
const SLICE = 1000;

/**
 * Goes through many entries without holding up the event loop: it takes a turn of the loop after each slice.
 * @param wanted which entries to keep; called once for each
 * @param work gets the wanted entries of a slice, at least one
 */
export async function inSlices<T>(
  entries: Iterable<T>,
  wanted: (entry: T) => boolean,
  work: (slice: readonly T[]) => Promise<void>,
): Promise<void> {
  let slice: T[] = [];
  let seen = 0;
  for (const entry of entries) {
    if (wanted(entry)) slice.push(entry);
    if (++seen % SLICE !== 0) continue;
    if (slice.length > 0) await work(slice);
    slice = [];
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (slice.length > 0) await work(slice);
}
