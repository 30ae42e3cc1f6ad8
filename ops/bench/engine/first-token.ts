import { Prompts } from "../prompts.js";
import { median } from "../statistics.js";
import { Rig } from "./rig.js";
import { watchEngine } from "./steps.js";

export interface FirstTokenInput {
  folder: string;
  threads: number;
  /** Prompt lengths. */
  lengths: number[];
  times: number;
  seed: number;
}

/** Median milliseconds. */
export interface FirstTokenFigures {
  tokens: number;
  /** Of a lone request in the engine, from its arrival to its first token. */
  engine: number;
  /** Of these, in the native runs. */
  native: number;
}

/** What a lone prompt costs without a server around the engine. */
export async function firstToken(input: FirstTokenInput): Promise<FirstTokenFigures[]> {
  const ledger = watchEngine();
  const rig = await Rig.open({ ...input, slots: 8 });
  const prompts = new Prompts((text) => rig.model.tokenizer.encode(text), input.seed);
  const figures: FirstTokenFigures[] = [];
  for (const tokens of input.lengths) {
    const total: number[] = [];
    const native: number[] = [];
    for (let i = 0; i <= input.times; i++) {
      const { ids } = prompts.ofLength(tokens);
      ledger.take("native");
      const started = performance.now();
      rig.add({ ids, maxTokens: 1, seed: i });
      await rig.engine.run();
      if (i === 0) continue;
      total.push(performance.now() - started);
      native.push(ledger.take("native"));
    }
    figures.push({ tokens, engine: median(total), native: median(native) });
  }
  await rig.close();
  return figures;
}
