import type { System } from "../load/system.js";
import { startIpcPeer } from "./ipc-peer.js";

/** llama.cpp in a Node process, which batches all clients' sequences in one context. */
export const nodeLlamaCpp: System = {
  name: "node-llama-cpp",
  tuned: true,
  async start({ config, gguf }, { clients, threads }) {
    const options = { model: await gguf(), context: config.n_positions, clients, threads };
    const settings = `Q8_0, ${threads} threads, ${clients} sequences, flash attention`;
    return startIpcPeer("node-llama-cpp.mjs", options, settings);
  },
};

/** transformers.js in a Node process. It has no continuous batching: requests that wait together run as one batch. */
export const transformersJs: System = {
  name: "transformers.js",
  tuned: true,
  async start({ transformers }, { clients, threads }) {
    const batches = clients > 1 ? `batches of up to ${clients}` : "one at a time";
    const options = { model: await transformers(), clients, threads };
    return startIpcPeer("transformers.mjs", options, `int8, ${threads} threads, ${batches}`);
  },
};
