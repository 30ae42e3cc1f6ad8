import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Time limit for what a test waits for. */
const PATIENCE_MS = 60_000;
const POLL_MS = 100;

export interface Sample {
  metric: Record<string, string>;
  value: number;
}

/** A real Prometheus that scrapes once a second, with a folder of its own. */
export class PrometheusProcess {
  readonly #child: ChildProcess;
  readonly #url: string;
  readonly #folder: string;
  #output = "";

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#url = `http://127.0.0.1:${port}`;
    this.#child = spawn(
      "prometheus",
      [
        `--config.file=${join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.on("data", (text) => {
        this.#output += text;
      });
  }

  /** @param configuration the text of prometheus.yml */
  static async start(configuration: string): Promise<PrometheusProcess> {
    const folder = mkdtempSync(join(tmpdir(), "jai-prometheus-"));
    writeFileSync(join(folder, "prometheus.yml"), configuration);
    return new PrometheusProcess(folder, await freePort());
  }

  /** Samples of an instant query. @throws if it is not valid PromQL */
  async query(expression: string): Promise<Sample[]> {
    const answer = await fetch(`${this.#url}/api/v1/query?query=${encodeURIComponent(expression)}`);
    const { status, data, error } = (await answer.json()) as {
      status: string;
      error?: string;
      data: { result: { metric: Record<string, string>; value: [number, string] }[] };
    };
    if (status !== "success") throw new Error(`${expression}: ${error}`);
    return data.result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
  }

  /** Resolves once the query has a sample that is a number. @throws with the query after a minute without one */
  async until(expression: string): Promise<Sample[]> {
    const giveUp = performance.now() + PATIENCE_MS;
    let found: Sample[] = [];
    while (performance.now() < giveUp && this.#child.exitCode === null) {
      // While it starts, nothing answers.
      found = await this.query(expression).catch((error: Error) => {
        if (error.message.startsWith(expression)) throw error;
        return [];
      });
      if (found.some(({ value }) => Number.isFinite(value))) return found;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error(
      `no data for ${expression}, got ${JSON.stringify(found)}; Prometheus says:\n${this.#output}`,
    );
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGTERM");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
