import type { LlamaServer, System } from "../load/system.js";
import { fastapi, installFastapi } from "./fastapi.js";
import { nodeLlamaCpp, transformersJs } from "./libraries.js";
import { llamaServer } from "./llama-server.js";
import { installPackages } from "./packages.js";

/** The servers to measure beside ours, in the order of the report. One that can't run says so when it is started. */
export function peers(options: { peers: boolean; llamaServers: readonly LlamaServer[] }): System[] {
  const known = options.peers ? [nodeLlamaCpp, transformersJs, fastapi] : [];
  return [...known, ...options.llamaServers.map(llamaServer)];
}

/**
 * Installs the peers' packages if they are missing: npm packages into a folder of their own, and Debian's PyTorch.
 * @returns one line for each failed installation; the peers that need it will fail to start
 */
export async function installPeers(): Promise<string[]> {
  const results = await Promise.allSettled([installPackages(), installFastapi()]);
  return results.flatMap((result) =>
    result.status === "rejected" ? [(result.reason as Error).message] : [],
  );
}
