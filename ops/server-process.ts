import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { EventReader, type ServerSentEvent } from "./server-sent-events.js";

const cli = fileURLToPath(new URL("../server/cli.js", import.meta.url));
const LOAD_MS = 60_000;
const POLL_MS = 20;

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

/** How `jai serve` ended. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** All its output, both streams. */
  output: string;
}

/**
 * A `jai serve` in a process of its own, for benchmarks and end-to-end tests. It has a free port of the loopback
 * interface and a data folder of its own, unless the environment says otherwise.
 */
export class ServerProcess {
  static readonly #running = new Set<ServerProcess>();
  /** Settles when the process has ended. */
  readonly exit: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #listening: Promise<number>;
  #output = "";
  #port = 0;

  private constructor(
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
    script: string,
  ) {
    const data = mkdtempSync(join(tmpdir(), "jai-data-"));
    this.#child = spawn(process.execPath, [script, "serve", ...args], {
      env: {
        ...process.env,
        JAI_PORT: "0",
        JAI_HOST: "127.0.0.1",
        JAI_LOG_FORMAT: "text",
        JAI_DATA_DIR: data,
        // Even if a test unsets JAI_DATA_DIR, the user's own data folder must not be used.
        XDG_STATE_HOME: data,
        STATE_DIRECTORY: "",
        // The tests run below npm, but this server must not: it would handle signals differently.
        npm_lifecycle_event: undefined,
        ...environment,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let listening: (port: number) => void = () => {};
    this.#listening = new Promise((resolve) => {
      listening = resolve;
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      createInterface({ input: stream! }).on("line", (line) => {
        this.#output += `${line}\n`;
        const address = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
        if (address) listening(Number(address[1]));
      });
    }
    ServerProcess.#running.add(this);
    this.exit = once(this.#child, "close").then(([code, signal]) => {
      ServerProcess.#running.delete(this);
      rmSync(data, { recursive: true, force: true });
      return { code, signal, output: this.#output };
    });
  }

  /**
   * Starts a server and waits until it listens or has ended; `exit` says how.
   * @param script the command line script of another copy
   */
  static async start(
    args: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
    script = cli,
  ) {
    const server = new ServerProcess(args, environment, script);
    const port = await Promise.race([server.#listening, server.exit.then(() => 0)]);
    server.#port = port;
    return server;
  }

  /** Starts a server and waits until its model is loaded. */
  static async ready(modelDir: string, environment: Readonly<Record<string, string>> = {}, script = cli) {
    const server = await ServerProcess.start(["--model", modelDir], environment, script);
    const giveUp = performance.now() + LOAD_MS;
    while (server.#port !== 0 && performance.now() < giveUp) {
      const { text } = await server.request("GET", "/health");
      if ((JSON.parse(text) as { model_loaded: boolean }).model_loaded) return server;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    server.kill("SIGKILL");
    throw new Error(`the server did not come up:\n${(await server.exit).output}`);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get port(): number {
    return this.#port;
  }

  get output(): string {
    return this.#output;
  }

  /** Sends a body as JSON. Aborting the signal destroys the connection, like a client that leaves. */
  request(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer> {
    return this.#send(method, path, body, signal, () => {});
  }

  /**
   * POSTs a body with `stream: true` and calls back with each event as it arrives. Resolves to the whole text at the
   * end of the stream. An error before the stream begins is an ordinary answer.
   */
  stream(
    path: string,
    body: object,
    onEvent: (event: ServerSentEvent) => void,
    signal?: AbortSignal,
  ): Promise<Answer> {
    const reader = new EventReader();
    return this.#send("POST", path, { ...body, stream: true }, signal, (piece) => {
      for (const event of reader.push(piece)) onEvent(event);
    });
  }

  #send(
    method: string,
    path: string,
    body: unknown,
    signal: AbortSignal | undefined,
    onPiece: (text: string) => void,
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          method,
          path,
          host: "127.0.0.1",
          port: this.#port,
          agent: this.#agent,
          headers: { "content-type": "application/json" },
          ...(signal && { signal }),
        },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => {
            text += chunk;
            onPiece(chunk);
          });
          response.on("end", () =>
            resolve({ status: response.statusCode!, headers: response.headers, text }),
          );
          response.on("error", reject);
        },
      );
      outgoing.on("error", reject);
      // Not every abort raises an error: one at the very end of the answer only closes the connection.
      outgoing.on("close", () =>
        reject(signal?.reason ?? new Error("the connection closed before the answer was whole")),
      );
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Kills servers left by a failed test, since a test process waits for its children. */
  static killAll(): void {
    for (const server of ServerProcess.#running) server.kill("SIGKILL");
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Stops the server by SIGTERM, as an operator would. */
  stop(): Promise<Exit> {
    this.#agent.destroy();
    this.kill("SIGTERM");
    return this.exit;
  }
}
