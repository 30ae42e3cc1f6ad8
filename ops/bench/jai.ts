import { ServerProcess } from "../server-process.js";
import type { System } from "./load/system.js";
import { Client } from "./peers/client.js";
import { OURS } from "./results/results.js";

interface Answer {
  usage: { completion_tokens: number };
}

/** jai-server itself, with one slot per client. */
export const jaiServer: System = {
  name: OURS,
  // Not tuned: it chooses its workers and threads itself.
  tuned: false,
  async start({ folder, config }, { clients }) {
    const server = await ServerProcess.ready(folder, { JAI_CONCURRENCY: String(clients) });
    const client = new Client(server.port);
    const { workers, threads } = await client.get<{ workers: number; threads: number }>("/health");
    return {
      settings: `${config.precision}, ${workers} × ${threads} threads, ${clients} slots`,
      async ask({ text, maxTokens, temperature, topK, seed, stream }, onTokens) {
        const sampling = { temperature, top_k: topK, seed, ignore_eos: true };
        const body = { prompt: text, max_tokens: maxTokens, ...sampling, stream };
        let answer: Answer | undefined;
        if (!stream) answer = await client.json<Answer>("/generate", body);
        else
          await client.events("/generate", body, ({ event, data }) => {
            if (event === "error") throw new Error(`expected an answer, got ${data}`);
            if (event === "done") answer = JSON.parse(data) as Answer;
            else onTokens?.((JSON.parse(data) as { tokens: number }).tokens);
          });
        if (answer === undefined) throw new Error("the stream ended before its answer was whole");
        return answer.usage.completion_tokens;
      },
      async stop() {
        client.close();
        await server.stop();
      },
    };
  },
};
