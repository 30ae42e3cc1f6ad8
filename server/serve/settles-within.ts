/** Node's timers wait no longer: one that is to, calls back at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Whether a promise settles within so many milliseconds. */
export async function settlesWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, Math.min(ms, LONGEST_TIMER_MS), false);
  });
  const settled = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return settled;
}
