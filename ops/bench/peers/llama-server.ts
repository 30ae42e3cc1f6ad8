import type { LlamaServer, System } from "../load/system.js";
import { HttpPeer } from "./http-peer.js";

interface Completion {
  /** In a stream true with the last event alone, which holds the count of all tokens. */
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
        // Flash attention is as fast as none for one client, and up to half again as fast for more.
        ...["--flash-attn", "on", "--log-disable"],
      ]);
      return {
        settings: `Q8_0, ${threads} threads, ${clients} slots, flash attention`,
        async ask({ ids, maxTokens, temperature, topK, seed, stream }, onTokens) {
          // Those two samplers and no other, so that it does what the others do and no work for nothing.
          const sampling = { samplers: ["top_k", "temperature"], temperature, top_k: topK, seed };
          const body = { prompt: ids, n_predict: maxTokens, ignore_eos: true, ...sampling, stream };
          if (!stream)
            return (await server.client.json<Completion>("/completion", body)).tokens_predicted ?? 0;
          let seen = 0;
          let total = 0;
          await server.client.events("/completion", body, ({ data }) => {
            const event = JSON.parse(data) as Completion;
            if (event.stop) total = event.tokens_predicted ?? 0;
            // Tokens whose bytes were no whole character came without an event of their own.
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
