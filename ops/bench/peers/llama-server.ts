import type { LlamaServer, System } from "../load/system.js";
import { HttpPeer } from "./http-peer.js";

interface Completion {
  /** In a stream, true only in the last event, which has the total token count. */
  stop?: boolean;
  tokens_predicted?: number;
}

/** A llama.cpp server, or one of a fork, from a binary that the user built. */
export function llamaServer({ name, path }: LlamaServer): System {
  return {
    name,
    tuned: true,
    async start({ config, gguf }, { clients, threads }) {
      const file = await gguf();
      const server = await HttpPeer.start(path, (port) => [
        ...["--model", file, "--host", "127.0.0.1", "--port", String(port)],
        ...["--parallel", String(clients), "--ctx-size", String(clients * config.n_positions)],
        ...["--threads", String(threads), "--threads-batch", String(threads)],
        // Flash attention is equally fast for one client, and up to 1.5 times as fast for more.
        ...["--flash-attn", "on", "--log-disable"],
      ]);
      return {
        settings: `Q8_0, ${threads} threads, ${clients} slots, flash attention`,
        async ask({ ids, maxTokens, temperature, topK, seed, stream }, onTokens) {
          // Only these two samplers, so that it does the same work as the others.
          const sampling = { samplers: ["top_k", "temperature"], temperature, top_k: topK, seed };
          const body = { prompt: ids, n_predict: maxTokens, ignore_eos: true, ...sampling, stream };
          if (!stream)
            return (await server.client.json<Completion>("/completion", body)).tokens_predicted ?? 0;
          let seen = 0;
          let total = 0;
          await server.client.events("/completion", body, ({ data }) => {
            const event = JSON.parse(data) as Completion;
            if (event.stop) total = event.tokens_predicted ?? 0;
            // Tokens that end within a character have no event of their own, so the last event counts the rest.
            const count = event.stop ? total - seen : 1;
            seen += count;
            onTokens?.(count);
          });
          return total;
        },
        stop: () => server.stop(),
      };
    },
  };
}
