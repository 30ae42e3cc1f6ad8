import type { ServerProcess } from "../server-process.js";
import { closedLoop, type Measurement, prompt, type Workload } from "./workload.js";

/** The workload over HTTP, from this process. */
export async function benchServing(server: ServerProcess, workload: Workload): Promise<Measurement> {
  const ask = async (index: number) => {
    const { status, text } = await server.request("POST", "/generate", {
      prompt: prompt(index),
      max_tokens: workload.tokens,
      temperature: 0.8,
      top_k: 50,
      seed: index,
      ignore_eos: true,
    });
    const answer = JSON.parse(text) as { usage?: { completion_tokens: number } };
    if (status !== 200 || answer.usage?.completion_tokens !== workload.tokens) {
      throw new Error(`request ${index}: expected ${workload.tokens} tokens, got ${status} ${text}`);
    }
  };
  await closedLoop({ ...workload, requests: workload.clients }, ask);
  return closedLoop(workload, ask);
}
