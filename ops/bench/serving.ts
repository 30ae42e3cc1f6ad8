import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Agent, request } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { closedLoop, type Measurement, prompt, type Workload } from "./workload.js";

const cli = fileURLToPath(new URL("../../server/cli.js", import.meta.url));

/** A server of this package in a process of its own, on a free port of the loopback interface. */
export class ServerUnderTest {
  readonly #child: ChildProcess;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
  }

  /** Starts it and waits until it says that the model is loaded. */
  static async start(modelDir: string, environment: Record<string, string>): Promise<ServerUnderTest> {
    const child = spawn(process.execPath, [cli, "serve"], {
      env: {
        ...process.env,
        JAI_PORT: "0",
        JAI_HOST: "127.0.0.1",
        JAI_MODEL: modelDir,
        JAI_LOG_FORMAT: "text",
        ...environment,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const said: string[] = [];
    const port = await new Promise<number>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream! }).on("line", (line) => {
          if (said.length < 100) said.push(line);
          const address = /http:\/\/[^ ]*:(\d+)/.exec(line);
          if (address) resolve(Number(address[1]));
        });
      }
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}:\n${said.join("\n")}`)));
    });
    const server = new ServerUnderTest(child, port);
    const giveUp = performance.now() + 60_000;
    while (!(JSON.parse(await server.#send("GET", "/health")) as { model_loaded: boolean }).model_loaded) {
      if (performance.now() > giveUp) throw new Error("the server did not load its model within a minute");
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return server;
  }

  async bench(workload: Workload): Promise<Measurement> {
    const ask = async (index: number) => {
      const body = {
        prompt: prompt(index),
        max_tokens: workload.tokens,
        temperature: 0.8,
        top_k: 50,
        seed: index,
        ignore_eos: true,
      };
      const answer = JSON.parse(await this.#send("POST", "/generate", body)) as {
        usage?: { completion_tokens: number };
      };
      if (answer.usage?.completion_tokens !== workload.tokens) {
        throw new Error(
          `request ${index}: expected ${workload.tokens} tokens, got ${JSON.stringify(answer)}`,
        );
      }
    };
    await closedLoop({ ...workload, requests: workload.clients, tokens: workload.tokens }, ask);
    return closedLoop(workload, ask);
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    this.#child.kill("SIGTERM");
    if (this.#child.exitCode === null) await once(this.#child, "exit");
  }

  #send(method: string, path: string, body?: unknown): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json" };
      const options = { method, path, headers, agent: this.#agent, host: "127.0.0.1", port: this.#port };
      const outgoing = request(options, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve(text));
        response.on("error", reject);
      });
      outgoing.on("error", reject);
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}
