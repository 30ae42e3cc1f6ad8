import { ServerProcess } from "../server-process.js";
import { Client } from "./peers/client.js";
import type { System } from "./system.js";

interface Answer {
  usage: { completion_tokens: number };
}

/** jai-server itself, with a slot for each client, workers and threads as it chooses, and the model folder as `jai import` writes it. */
export const jaiServer: System = {
  name: "jai-server",
  async start(model, { clients }) {
    const server = await ServerProcess.ready(model.folder, { JAI_CONCURRENCY: String(clients) });
    const client = new Client(server.port);
    const { workers, threads } = await client.get<{ workers: number; threads: number }>("/health");
    return {
      settings: `int8, ${workers} × ${threads} threads, ${clients} slots`,
      async ask({ text, maxTokens, temperature, topK, seed, stream }, onTokens) {
        const body = {
          prompt: text,
          max_tokens: maxTokens,
          temperature,
          top_k: topK,
          seed,
          ignore_eos: true,
        };
        if (!stream) return (await client.json<Answer>("/generate", body)).usage.completion_tokens;
        let answer: Answer | undefined;
        await client.events("/generate", { ...body, stream }, (data, name) => {
          if (name === "error") throw new Error(`expected an answer, got ${data}`);
          if (name === "done") answer = JSON.parse(data) as Answer;
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
