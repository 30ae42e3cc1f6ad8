import type { System } from "../system.js";
import { contextOf, ggufFile } from "./derived.js";
import { requirePackages } from "./install.js";
import { IpcProcess } from "./ipc-process.js";
import { startFastest, threadChoices } from "./tuning.js";

/** Measured to make no difference between 64 and 512 here; it only has to hold every sequence and a prompt. */
const BATCH_TOKENS = 512;

/** llama.cpp in a Node process, batching all clients' sequences in one context. */
export const nodeLlamaCpp: System = {
  name: "node-llama-cpp",
  async start(model, { clients, threads }) {
    await requirePackages();
    const file = await ggufFile(model);
    const context = await contextOf(model);
    const candidates = threadChoices(threads).map((count) => ({ threads: count }));
    return startFastest(this.name, model, clients, candidates, async (chosen) => {
      const child = await IpcProcess.start("node-llama-cpp.mjs", {
        model: file,
        clients,
        context,
        batchSize: BATCH_TOKENS,
        // Faster than without, at every number of clients.
        flashAttention: true,
        ...chosen,
      });
      return {
        settings: `Q8_0, ${chosen.threads} threads, ${clients} sequences, flash attention; ${child.version}`,
        ask: (request, onTokens) => child.ask(request, onTokens),
        stop: () => child.stop(),
      };
    });
  },
};
