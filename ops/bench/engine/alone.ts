import { closedLoop, tokensPerSecond } from "../load/closed-loop.js";
import { Prompts } from "../load/prompts.js";
import { readingOf } from "../load/reading.js";
import type { BenchRequest } from "../load/system.js";
import { Rig } from "./rig.js";

export interface AloneInput {
  folder: string;
  threads: number;
  clients: number;
  tokens: number;
  seconds: number;
  seed: number;
}

/** Runs the closed loop, with which servers are measured, on the engine alone. @returns tokens per second */
export async function alone({
  folder,
  threads,
  clients,
  tokens,
  seconds,
  seed,
}: AloneInput): Promise<number> {
  const rig = await Rig.open({ folder, threads, slots: clients });
  const prompts = new Prompts(readingOf(rig.model), seed);
  const ask = ({ ids, maxTokens, seed }: BenchRequest) =>
    new Promise<number>((resolve, reject) => {
      rig.add(ids, maxTokens, seed, (outcome) => {
        if (outcome.type === "finished") resolve(outcome.completionTokens);
        else reject(new Error(`expected an answer, got ${JSON.stringify(outcome)}`));
      });
      void rig.engine.run();
    });
  await closedLoop(ask, { clients, seconds: 0, next: () => prompts.request(8, false) });
  const next = () => prompts.request(tokens, false);
  const rate = tokensPerSecond(await closedLoop(ask, { clients, seconds, next }));
  await rig.close();
  return rate;
}
