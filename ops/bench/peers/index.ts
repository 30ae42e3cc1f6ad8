import type { System } from "../system.js";
import { fastapi, installFastapi } from "./fastapi.js";
import { installPackages } from "./install.js";
import { llamaServer } from "./llama-server.js";
import { nodeLlamaCpp } from "./node-llama-cpp.js";
import { transformersJs } from "./transformers.js";

export interface PeersOptions {
  /** llama.cpp servers to measure as well: `PATH`, or `NAME=PATH` where there are several. */
  llamaServers: readonly string[];
}

/** The servers to measure beside ours, in the order of a report; each says itself, as it starts, where it can't run. */
export function peers({ llamaServers }: PeersOptions): System[] {
  return [nodeLlamaCpp, transformersJs, fastapi, ...llamaServers.map(parseLlamaServer)];
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

function parseLlamaServer(argument: string): System {
  const equals = argument.indexOf("=");
  return equals > 0
    ? llamaServer(argument.slice(0, equals), argument.slice(equals + 1))
    : llamaServer("llama-server", argument);
}
