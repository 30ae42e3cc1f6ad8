import type { System } from "../system.js";
import { startFastest } from "./fastest.js";
import { startIpcPeer } from "./ipc-peer.js";

/** llama.cpp in a Node process, batching all clients' sequences in one context. */
export const nodeLlamaCpp: System = {
  name: "node-llama-cpp",
  async start(model, { clients, threads }) {
    const options = { model: await model.gguf(), context: model.config.n_positions, clients };
    return startFastest(this.name, model.name, { clients, threads }, (count) =>
      startIpcPeer(
        "node-llama-cpp.mjs",
        { ...options, threads: count },
        `Q8_0, ${count} threads, ${clients} sequences, flash attention`,
      ),
    );
  },
};

/** transformers.js in a Node process. It has no continuous batching: requests that wait together run as one batch. */
export const transformersJs: System = {
  name: "transformers.js",
  async start(model, { clients, threads }) {
    const options = { model: await model.transformers(), clients };
    const batches = clients > 1 ? `batches of up to ${clients}` : "one at a time";
    return startFastest(this.name, model.name, { clients, threads }, (count) =>
      startIpcPeer("transformers.mjs", { ...options, threads: count }, `int8, ${count} threads, ${batches}`),
    );
  },
};
