import { uniform } from "../../engine/sampling/philox.js";
import { hasByte } from "../nodes/node.js";
import type { Automaton } from "./automaton.js";
import type { State } from "./state.js";

const TEXTS = 4;
const BYTES = 128;
/** Cap on the work of all texts; the rehearsal ends there. */
const MAX_WORK = 30_000;

/**
 * Writes a few texts, so that a grammar that soon has too many readings is refused before its sequence runs.
 * @throws GrammarError
 */
export function rehearse(automaton: Automaton): void {
  let work = 0;
  for (let text = 0; text < TEXTS; text++) {
    let state: State | null = automaton.start;
    for (let i = 0; i < BYTES && state !== null && state.rests.length > 0; i++) {
      const draw = (count: number, part: number) => Math.floor(uniform([text, part], i) * count);
      // Half of the texts go on at random, half stay as far from their end as they can.
      const farthest = Math.max(...state.rests.map(({ least }) => least));
      const rests = text % 2 === 0 ? state.rests : state.rests.filter(({ least }) => least === farthest);
      const { node } = rests[draw(rests.length, 0)]!;
      if (node.kind !== "bytes") break;
      let byte = draw(256, 1);
      while (!hasByte(node.set, byte)) byte = (byte + 1) % 256;
      const next = automaton.step(state, byte);
      work += state.work[automaton.classes[byte]!]!;
      if (work > MAX_WORK) return;
      state = next;
    }
  }
}
