/** 53 bits, so that it is exact in every client's JSON. */
export function randomSeed(): number {
  const [high, low] = crypto.getRandomValues(new Uint32Array(2));
  return (high! >>> 11) * 2 ** 32 + low!;
}

/** The low and high 32 bits, in two's complement. */
export function halves(seed: number): readonly [number, number] {
  const bits = BigInt.asUintN(64, BigInt(seed));
  return [Number(bits & 0xffff_ffffn), Number(bits >> 32n)];
}

/**
 * The seed of a request's sequence: alone, with that seed, it is the same text. It wraps around where sums are exact no more.
 */
export function sequenceSeed(seed: number, sequence: number): number {
  const sum = seed + sequence;
  return Number.isSafeInteger(sum) ? sum : Number.MIN_SAFE_INTEGER + sequence;
}
