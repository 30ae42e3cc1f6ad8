/** How many random cases a test tries: `long` if LONG_TESTS=1, as in CI, else `short`. */
export function randomCases(short: number, long: number): number {
  return process.env.LONG_TESTS === "1" ? long : short;
}

/**
 * Seed of a test's random cases. TEST_SEED changes it; the test runner sets it for long runs and prints it on a
 * failure.
 */
export function testSeed(seed: number): number {
  return Number(process.env.TEST_SEED ?? 0) + seed;
}
