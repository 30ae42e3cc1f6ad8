/**
 * Jain's fairness index of the running sequences, over the callers that have waiting ones: 1 if all have as many slots, 1
 * divided by their number if one has all. Who has nothing waiting lacks nothing, and does not count.
 */
export function fairness(callers: Iterable<{ running: number; waiting: number }>): number {
  const running = [...callers].filter(({ waiting }) => waiting > 0).map((caller) => caller.running);
  const sum = running.reduce((total, one) => total + one, 0);
  const squares = running.reduce((total, one) => total + one ** 2, 0);
  return squares === 0 ? 1 : sum ** 2 / (running.length * squares);
}
