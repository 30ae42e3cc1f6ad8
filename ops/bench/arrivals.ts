import { uniform } from "../../workers/engine/sampling/philox.js";

/** When the requests of a Poisson process arrive, in seconds from its start; the same seed gives the same times. */
export function poissonArrivals(perSecond: number, seconds: number, seed: number): number[] {
  const times: number[] = [];
  let time = 0;
  for (let i = 0; ; i++) {
    // In (0, 1], so that the logarithm is finite.
    time -= Math.log(1 - uniform([seed, 0], i)) / perSecond;
    if (time >= seconds) return times;
    times.push(time);
  }
}
