import type { JoiningFigures } from "../results.js";
import { percentile } from "../statistics.js";
import { Rig } from "./rig.js";

export interface JoiningInput {
  folder: string;
  threads: number;
  batch: number;
  /** Tokens of each prompt that joins. */
  prompt: number;
  /** Steps between two prompts. */
  every: number;
  joins: number;
}

/** Lets a prompt join a batch that decodes, again and again, and times every token of the batch. */
export async function joining(input: JoiningInput): Promise<JoiningFigures> {
  const { batch, prompt, every, joins } = input;
  const rig = await Rig.open({ ...input, slots: batch + 1 });
  const { context, vocabulary } = rig.shape;
  const gaps: number[] = [];
  const quiet: number[] = [];
  const firsts: number[] = [];
  let joined = 0;
  while (joined < joins) {
    // As deep as sequences are on average, and starting anew before their window slides.
    const sequences = await rig.startAtDepth(batch, Math.floor(context / 8));
    let lengths = sequences.map(({ ids }) => ids.length);
    let last = performance.now();
    let newcomer = false;
    for (let step = 1; Math.max(...lengths) < context - 8; step++) {
      if (step % every === 0 && !newcomer) {
        const number = joined++;
        const asked = performance.now();
        newcomer = true;
        rig.add({
          ids: Array.from({ length: prompt }, (_, j) => (19 * number + 29 * j + number * j) % vocabulary),
          maxTokens: 1,
          seed: number,
          onEnd: () => {
            newcomer = false;
            firsts.push(performance.now() - asked);
          },
        });
      }
      const waited = newcomer;
      await rig.engine.step();
      const now = performance.now();
      const grown = sequences.flatMap(({ ids }, i) => {
        const count = ids.length - lengths[i]!;
        return Array.from({ length: count }, () => (now - last) / count);
      });
      if (grown.length === 0) continue;
      gaps.push(...grown);
      if (!waited) quiet.push(...grown);
      lengths = sequences.map(({ ids }) => ids.length);
      last = now;
    }
    await rig.clear(sequences);
  }
  await rig.close();
  return {
    median: percentile(gaps, 0.5),
    p99: percentile(gaps, 0.99),
    undisturbed: percentile(quiet, 0.5),
    firstToken: percentile(firsts, 0.5),
  };
}
