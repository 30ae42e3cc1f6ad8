/** How many random cases a test tries: the longer number where LONG_TESTS=1 is set, as in CI. */
export function randomCases(short: number, long: number): number {
  return process.env.LONG_TESTS === "1" ? long : short;
}

/** Seed of a test's random cases. TEST_SEED draws other ones; the runner sets it for long runs and says it if one fails. */
export function testSeed(seed: number): number {
  return Number(process.env.TEST_SEED ?? 0) + seed;
}
