import type { System } from "../system.js";
import type { Client } from "./client.js";
import { contextOf, ggufFile } from "./derived.js";
import { HttpProcess } from "./http-process.js";
import { startFastest, threadChoices } from "./tuning.js";

interface Completion {
  /** In a stream true with the last event alone, which holds the count of all tokens. */
  stop?: boolean;
  tokens_predicted?: number;
}

/** A llama.cpp server, or one of a fork, from a binary that the user built. */
export function llamaServer(name: string, binary: string): System {
  return {
    name,
    async start(model, { clients, threads }) {
      const file = await ggufFile(model);
      const context = await contextOf(model);
      return startFastest(name, model, clients, threadChoices(threads), async (count) => {
        const server = await HttpProcess.start(
          binary,
          (port) => [
            ...["--model", file, "--host", "127.0.0.1", "--port", String(port)],
            ...["--parallel", String(clients), "--ctx-size", String(clients * context)],
            ...["--threads", String(count), "--threads-batch", String(count)],
            // Flash attention is as fast as none for one client, and up to half again as fast for more.
            ...["--flash-attn", "on", "--log-disable"],
          ],
          "/health",
        );
        return {
          settings: `Q8_0, ${count} threads, ${clients} slots, flash attention`,
          ask: ({ ids, maxTokens, temperature, topK, seed, stream }, onTokens) => {
            const body = {
              prompt: ids,
              n_predict: maxTokens,
              ignore_eos: true,
              temperature,
              top_k: topK,
              // Those two and no other, so that it samples as the others do and does no work for nothing.
              samplers: ["top_k", "temperature"],
              seed,
              stream,
            };
            return stream ? streamed(server.client, body, onTokens) : whole(server.client, body);
          },
          stop: () => server.stop(),
        };
      });
    },
  };
}

async function whole(client: Client, body: object): Promise<number> {
  const answer = await client.json<Completion>("/completion", body);
  return answer.tokens_predicted ?? 0;
}

async function streamed(client: Client, body: object, onTokens?: (count: number) => void): Promise<number> {
  let seen = 0;
  let total = 0;
  await client.events("/completion", body, (data) => {
    const event = JSON.parse(data) as Completion;
    if (event.stop) {
      total = event.tokens_predicted ?? 0;
      // Tokens whose bytes were no whole character came without an event of their own.
      if (total > seen) onTokens?.(total - seen);
    } else {
      seen++;
      onTokens?.(1);
    }
  });
  return total;
}
