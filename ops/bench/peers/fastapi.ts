import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { System } from "../system.js";
import { HttpProcess } from "./http-process.js";
import { peersFolder } from "./install.js";

/** Debian's, which its python3-torch and python3-fastapi belong to; another python3 may come first in PATH. */
const PYTHON = "/usr/bin/python3";
const PACKAGES = ["python3-torch", "libopenblas0-pthread", "python3-fastapi", "python3-uvicorn"];
const INSTALL_MS = 900_000;

const run = promisify(execFile);

/** The server that this one replaces. It answers one request at a time, and does not stream. */
export const fastapi: System = {
  name: "FastAPI + PyTorch",
  async start(model, { threads }) {
    await requireFastapi();
    const server = await HttpProcess.start(
      PYTHON,
      (port) => [join(peersFolder, "fastapi_server.py"), model.checkpoint, String(port), String(threads)],
      "/health",
    );
    const { torch } = await server.client.get<{ torch: string }>("/health");
    return {
      settings: `float32, ${threads} threads, one at a time, no cache; PyTorch ${torch}`,
      async ask({ ids, maxTokens, temperature, topK, seed }, onTokens) {
        const answer = await server.client.json<{ ids: number[] }>("/generate", {
          ids,
          max_tokens: maxTokens,
          temperature,
          top_k: topK,
          seed,
        });
        onTokens?.(answer.ids.length);
        return answer.ids.length;
      },
      stop: () => server.stop(),
    };
  },
};

/** Installs what it runs on with apt-get, where that is possible. */
export async function installFastapi(): Promise<void> {
  if (await isInstalled()) return;
  if (process.getuid?.() !== 0)
    throw new Error(`${PYTHON} lacks its packages: apt-get install ${PACKAGES.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update", "-qq"], { timeout: INSTALL_MS, env });
  await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...PACKAGES], {
    timeout: INSTALL_MS,
    env,
  });
}

async function requireFastapi(): Promise<void> {
  if (!(await isInstalled()))
    throw new Error(`${PYTHON} lacks its packages: apt-get install ${PACKAGES.join(" ")}`);
}

async function isInstalled(): Promise<boolean> {
  try {
    await run(PYTHON, ["-c", "import torch, fastapi, uvicorn"]);
    return true;
  } catch {
    return false;
  }
}
