/** A random seed of 53 bits: every client's JSON can hold it exactly. */
export function randomSeed(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high! >>> 11) * 2 ** 32 + low!;
}

/** The low and high 32 bits of a seed in two's complement. */
export function halves(seed: number): readonly [number, number] {
  const bits = BigInt.asUintN(64, BigInt(seed));
  return [Number(bits & 0xffff_ffffn), Number(bits >> 32n)];
}

/**
 * The seed of a request's sequence, which gives the same text in a request of its own. It wraps around where integers
 * stop being exact.
 */
export function sequenceSeed(seed: number, sequence: number): number {
  const sum = seed + sequence;
  return Number.isSafeInteger(sum) ? sum : Number.MIN_SAFE_INTEGER + sequence;
}
