import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { basename } from "node:path";

/** How much of a process's last output is kept, to tell why it ended. */
const OUTPUT_CHARS = 4000;

/** A peer in a process of its own, with an IPC channel if it is a Node process. */
export class PeerProcess {
  readonly child: ChildProcess;
  /** Resolves when the process has ended, to one line that says why. */
  readonly ended: Promise<string>;

  constructor(command: string, args: readonly string[]) {
    const ipc = command === process.execPath ? (["ipc"] as const) : [];
    this.child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe", ...ipc] });
    let output = "";
    for (const stream of [this.child.stdout!, this.child.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => {
        output = (output + text).slice(-OUTPUT_CHARS);
      });
    this.ended = once(this.child, "close").then(
      ([code, signal]) => {
        const lines = output.trimEnd().split("\n");
        return `it ended with ${signal ?? code}: ${lines.find((line) => /error\b.*:/i.test(line)) ?? lines.at(-1)}`;
      },
      (error: Error) => error.message.replaceAll(command, basename(command)),
    );
  }

  async stop(): Promise<void> {
    this.child.kill("SIGTERM");
    const killer = setTimeout(() => this.child.kill("SIGKILL"), 5000);
    await this.ended;
    clearTimeout(killer);
  }
}
