import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, freePort } from "./client.js";

const LOAD_MS = 60_000;
const POLL_MS = 50;
/** What is kept of what a process said, to tell why it ended. */
const OUTPUT_CHARS = 4000;

/** A peer's server in a process of its own, on a free port of the loopback interface. */
export class HttpProcess {
  readonly client: Client;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #output = "";
  #failure: string | undefined;

  private constructor(command: string, args: readonly string[], port: number) {
    this.client = new Client(port);
    this.#child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.#output = (this.#output + text).slice(-OUTPUT_CHARS);
      });
    this.#ended = once(this.#child, "close").then(
      ([code, signal]) => {
        const last = this.#output.trimEnd().split("\n").at(-1) ?? "";
        this.#failure = `it ended with ${signal ?? code}: ${last}`;
      },
      (error: Error) => {
        this.#failure = error.message.replaceAll(command, basename(command));
      },
    );
  }

  /**
   * Starts it and waits until `health` answers 200.
   * @throws Error with one line where it ends or takes longer than a minute
   */
  static async start(
    command: string,
    args: (port: number) => readonly string[],
    health: string,
  ): Promise<HttpProcess> {
    const port = await freePort();
    const process = new HttpProcess(command, args(port), port);
    const giveUp = performance.now() + LOAD_MS;
    while (!(await process.client.isUp(health))) {
      if (process.#failure === undefined && performance.now() > giveUp) {
        await process.stop();
        throw new Error(`${basename(command)}: it did not answer within ${LOAD_MS / 1000} s`);
      }
      if (process.#failure !== undefined) throw new Error(`${basename(command)}: ${process.#failure}`);
      await sleep(POLL_MS);
    }
    return process;
  }

  async stop(): Promise<void> {
    this.client.close();
    this.#child.kill("SIGTERM");
    const killer = setTimeout(() => this.#child.kill("SIGKILL"), 5000);
    await this.#ended;
    clearTimeout(killer);
  }
}
