import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { System } from "../load/system.js";
import { HttpPeer } from "./http-peer.js";
import { peersFolder } from "./packages.js";

/** Debian's Python, which has python3-torch and python3-fastapi. Another python3 may come first in PATH. */
const PYTHON = "/usr/bin/python3";
const PACKAGES = ["python3-torch", "libopenblas0-pthread", "python3-fastapi", "python3-uvicorn"];
const INSTALL_MS = 900_000;

const run = promisify(execFile);

/** The server that jai-server replaces. It answers one request at a time and does not stream. */
export const fastapi: System = {
  name: "FastAPI + PyTorch",
  tuned: false,
  async start({ checkpoint }, { threads }) {
    await requirePackages();
    const script = join(peersFolder, "fastapi_server.py");
    const server = await HttpPeer.start(PYTHON, (port) => [
      script,
      checkpoint,
      String(port),
      String(threads),
    ]);
    const { torch } = await server.client.get<{ torch: string }>("/health");
    return {
      settings: `float32, ${threads} threads, one at a time, no cache; PyTorch ${torch}`,
      async ask({ ids, maxTokens, temperature, topK, seed }, onTokens) {
        const body = { ids, max_tokens: maxTokens, temperature, top_k: topK, seed };
        const answer = await server.client.json<{ ids: number[] }>("/generate", body);
        onTokens?.(answer.ids.length);
        return answer.ids.length;
      },
      stop: () => server.stop(),
    };
  },
};

/** Installs the peer's packages with apt-get. @throws an error with a one-line message if that isn't possible */
export async function installFastapi(): Promise<void> {
  try {
    await requirePackages();
  } catch (error) {
    if (process.getuid?.() !== 0) throw error;
    const options = { timeout: INSTALL_MS, env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } };
    await run("apt-get", ["update", "-qq"], options);
    await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...PACKAGES], options);
  }
}

async function requirePackages(): Promise<void> {
  await run(PYTHON, ["-c", "import torch, fastapi, uvicorn"]).catch(() => {
    throw new Error(`${PYTHON} lacks its packages: apt-get install ${PACKAGES.join(" ")}`);
  });
}
