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

/** Inter-token latency of the sequences that were running, in milliseconds. */
export interface JoiningFigures {
  median: number;
  p99: number;
  /** Of the tokens that came while no prompt was being prefilled. */
  undisturbed: number;
  /** Of the prompts that joined: time to first token, median. */
  firstToken: number;
}

/** Lets a prompt join a batch that decodes, again and again, and times every token of the batch. */
export async function joining({
  folder,
  threads,
  batch,
  prompt,
  every,
  joins,
}: JoiningInput): Promise<JoiningFigures> {
  const rig = await Rig.open({ folder, threads, slots: batch + 1 });
  const { context, vocabulary } = rig.shape;
  const gaps: number[] = [];
  const quiet: number[] = [];
  const firsts: number[] = [];
  let joined = 0;
  while (joined < joins) {
    // As deep as sequences are on average, and starting anew before their window slides.
    const sequences = await rig.startAtDepth(batch, Math.floor(context / 8));
    const lengths = sequences.map(({ ids }) => ids.length);
    let last = performance.now();
    let asked = last;
    let newcomer = false;
    const furthest = context - 8;
    for (let step = 1; Math.max(...lengths) < furthest; step++) {
      if (step % every === 0 && !newcomer) {
        const number = joined++;
        const ids = Array.from(
          { length: prompt },
          (_, j) => (19 * number + 29 * j + number * j) % vocabulary,
        );
        newcomer = true;
        asked = performance.now();
        rig.add({
          ids,
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
      const grown = sequences.map(({ ids }, i) => ids.length - lengths[i]!);
      if (grown.every((count) => count === 0)) continue;
      for (const [i, count] of grown.entries()) {
        lengths[i]! += count;
        for (let token = 0; token < count; token++) {
          gaps.push((now - last) / count);
          if (!waited) quiet.push((now - last) / count);
        }
      }
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
