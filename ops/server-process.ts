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

/** What `jai serve` came to, when it came to an end. */
export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** Everything it said, both streams. */
  output: string;
}

/**
 * A `jai serve` in a process of its own, on a free port of the loopback interface and, unless the environment names one,
 * with a data folder of its own: for benchmarks and end-to-end tests.
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
        // Where a test has no data folder named, it is still not the user's own that is written to.
        XDG_STATE_HOME: data,
        STATE_DIRECTORY: "",
        // It is no script of the npm that runs the tests: below npm a server takes signals otherwise.
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
        const address = /http:\/\/127\.0\.0\.1:(\d+)/.exec(line);
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

  /** Starts it and waits until it listens, or, where it doesn't, until it ends; `exit` tells. `script`: another copy's. */
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

  /** Starts it and waits until it says that the model is loaded. */
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

  /** Sends a body as JSON. An aborted signal destroys the connection, as a client that goes away does. */
  request(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Answer> {
    return this.#send(method, path, body, signal, () => {});
  }

  /**
   * POSTs a body with `stream: true` and hands over each event in the moment in which it comes. Resolves with the whole
   * text at the end of the stream; an error that comes before anything is streamed is an ordinary answer.
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
      // Not every abort comes with an error: one that arrives with the last of the answer doesn't.
      outgoing.on("close", () =>
        reject(signal?.reason ?? new Error("the connection closed before the answer was whole")),
      );
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Ends what a failed test left: a test process waits for its children. */
  static killAll(): void {
    for (const server of ServerProcess.#running) server.kill("SIGKILL");
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends it as an operator does, by SIGTERM. */
  stop(): Promise<Exit> {
    this.#agent.destroy();
    this.kill("SIGTERM");
    return this.exit;
  }
}
