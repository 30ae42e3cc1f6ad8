import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { BenchRequest } from "../system.js";
import { peersFolder } from "./install.js";

/** What the scripts beside this file say to their parent. */
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

/** A peer that is a library, in a Node process of its own; asking it over IPC costs it less than a server would. */
export class IpcProcess {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #pending = new Map<number, Pending>();
  #next = 0;

  private constructor(
    child: ChildProcess,
    /** The names and versions of what it runs. */
    readonly version: string,
  ) {
    this.#child = child;
    this.#ended = once(child, "close");
    child.on("message", (message: Message) => this.#receive(message));
    child.on("close", (code, signal) => {
      for (const { reject } of this.#pending.values()) reject(new Error(`it ended with ${signal ?? code}`));
    });
  }

  /**
   * Starts a script of this folder with its options, and waits until it is ready.
   * @throws Error with one line where it ends instead
   */
  static async start(script: string, options: object): Promise<IpcProcess> {
    const child = fork(join(peersFolder, script), [JSON.stringify(options)], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let output = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-4000);
    });
    const version = await new Promise<string>((resolve, reject) => {
      child.once("message", (message: Message) => {
        if ("ready" in message) resolve(message.ready);
      });
      child.once("close", (code, signal) => {
        const reason = output.split("\n").find((line) => /error/i.test(line)) ?? output.trim().split("\n")[0];
        reject(new Error(`it ended with ${signal ?? code}: ${reason ?? ""}`));
      });
    });
    return new IpcProcess(child, version);
  }

  ask(request: BenchRequest, onTokens?: (count: number) => void): Promise<number> {
    const { ids, maxTokens, temperature, topK, seed, stream } = request;
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { onTokens, resolve, reject });
      this.#child.send({ id, ids, maxTokens, temperature, topK, seed, stream }, (error) => {
        if (error) reject(error);
      });
    });
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
  }

  #receive(message: Message): void {
    if ("ready" in message) return;
    const pending = this.#pending.get(message.id);
    if ("tokens" in message) {
      pending?.onTokens?.(message.tokens);
      return;
    }
    this.#pending.delete(message.id);
    if ("done" in message) pending?.resolve(message.done);
    else pending?.reject(new Error(message.error));
  }
}
