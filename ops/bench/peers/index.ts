import type { LlamaServer, System } from "../load/system.js";
import { fastapi, installFastapi } from "./fastapi.js";
import { nodeLlamaCpp, transformersJs } from "./libraries.js";
import { llamaServer } from "./llama-server.js";
import { installPackages } from "./packages.js";

/** The servers to measure beside ours, in the order of a report; each says itself, as it starts, where it can't run. */
export function peers(options: { peers: boolean; llamaServers: readonly LlamaServer[] }): System[] {
  const known = options.peers ? [nodeLlamaCpp, transformersJs, fastapi] : [];
  return [...known, ...options.llamaServers.map(llamaServer)];
}

/**
 * Installs what the peers are made of: npm packages into a folder of their own, and Debian's PyTorch where there is
 * none. Does nothing for what is there.
 * @returns what could not be installed, a line each; the peers that need it will say so too
 */
export async function installPeers(): Promise<string[]> {
  const results = await Promise.allSettled([installPackages(), installFastapi()]);
  return results.flatMap((result) =>
    result.status === "rejected" ? [(result.reason as Error).message] : [],
  );
}
