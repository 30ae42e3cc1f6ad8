import { existsSync } from "node:fs";
import { join } from "node:path";
import type { BenchRequest, RunningSystem } from "../load/system.js";
import { peersFolder } from "./packages.js";
import { PeerProcess } from "./process.js";

/** Messages of the scripts in this folder to their parent. */
type Message =
  | { ready: string }
  | { id: number; tokens: number }
  | { id: number; done: number }
  | { id: number; error: string };

interface Pending {
  onTokens: ((count: number) => void) | undefined;
  resolve(tokens: number): void;
  reject(error: Error): void;
}

/**
 * Starts a script of this folder, which runs a library in a Node process of its own. Requests go over IPC, which costs
 * the library less than an HTTP server would.
 * @throws Error with a one-line message if it ends before it is ready
 */
export async function startIpcPeer(
  script: string,
  options: object,
  settings: string,
): Promise<RunningSystem> {
  if (!existsSync(join(peersFolder, "node_modules")))
    throw new Error("its packages are not installed: npm ci in ops/bench/peers");
  const peer = new PeerProcess(process.execPath, [join(peersFolder, script), JSON.stringify(options)]);
  const pending = new Map<number, Pending>();
  let next = 0;
  const version = await new Promise<string>((resolve, reject) => {
    void peer.ended.then((reason) => {
      for (const one of [{ reject }, ...pending.values()]) one.reject(new Error(reason));
    });
    peer.child.on("message", (message: Message) => {
      if ("ready" in message) return resolve(message.ready);
      const asked = pending.get(message.id);
      if ("tokens" in message) return asked?.onTokens?.(message.tokens);
      pending.delete(message.id);
      if ("done" in message) asked?.resolve(message.done);
      else asked?.reject(new Error(message.error));
    });
  });
  return {
    settings: `${settings}; ${version}`,
    ask: ({ text: _, ...request }: BenchRequest, onTokens) => {
      const id = next++;
      return new Promise((resolve, reject) => {
        pending.set(id, { onTokens, resolve, reject });
        peer.child.send({ id, ...request }, (error) => error && reject(error));
      });
    },
    stop: () => peer.stop(),
  };
}
