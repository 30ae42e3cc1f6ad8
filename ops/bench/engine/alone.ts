import { closedLoop, closedLoopFigures } from "../closed-loop.js";
import { Prompts, SAMPLING } from "../prompts.js";
import { Rig } from "./rig.js";

export interface AloneInput {
  folder: string;
  threads: number;
  clients: number;
  tokens: number;
  seconds: number;
  seed: number;
}

/** The closed loop that servers are measured with, on the engine alone; tokens per second. */
export async function alone({
  folder,
  threads,
  clients,
  tokens,
  seconds,
  seed,
}: AloneInput): Promise<number> {
  const rig = await Rig.open({ folder, threads, slots: clients });
  const prompts = new Prompts((text) => rig.model.tokenizer.encode(text), seed);
  let index = 0;
  const next = (maxTokens: number) => () => ({
    ...prompts.short(),
    maxTokens,
    ...SAMPLING,
    seed: index++,
    stream: false,
  });
  const ask = (request: { ids: readonly number[]; maxTokens: number; seed: number }) =>
    new Promise<number>((resolve, reject) => {
      rig.add({
        ...request,
        onEnd: (outcome) => {
          if (outcome.type === "finished") resolve(outcome.completionTokens);
          else reject(new Error(`expected an answer, got ${JSON.stringify(outcome)}`));
        },
      });
      void rig.engine.run();
    });
  await closedLoop(ask, { clients, seconds: 0, next: next(8) });
  const { tokensPerSecond } = closedLoopFigures(
    await closedLoop(ask, { clients, seconds, next: next(tokens) }),
  );
  await rig.close();
  return tokensPerSecond;
}
