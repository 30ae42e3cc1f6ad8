import type { System } from "../system.js";
import { transformersFolder } from "./derived.js";
import { requirePackages } from "./install.js";
import { IpcProcess } from "./ipc-process.js";
import type { TransformersPrecision } from "./transformers-model.js";
import { startFastest, threadChoices } from "./tuning.js";

/** transformers.js in a Node process. It has no continuous batching: requests that wait together run as one batch. */
export const transformersJs: System = {
  name: "transformers.js",
  async start(model, { clients, threads }) {
    await requirePackages();
    const precisions: TransformersPrecision[] = ["blocks", "columns"];
    const candidates = precisions.flatMap((precision) =>
      threadChoices(threads).map((count) => ({ precision, threads: count })),
    );
    return startFastest(this.name, model, clients, candidates, async (chosen) => {
      const child = await IpcProcess.start("transformers.mjs", {
        model: await transformersFolder(model, chosen.precision),
        clients,
        threads: chosen.threads,
      });
      const batches = clients > 1 ? `batches of up to ${clients}` : "one at a time";
      return {
        settings: `int8 ${chosen.precision}, ${chosen.threads} threads, ${batches}; ${child.version}`,
        ask: (request, onTokens) => child.ask(request, onTokens),
        stop: () => child.stop(),
      };
    });
  },
};
