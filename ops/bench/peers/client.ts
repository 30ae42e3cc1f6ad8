import { Agent, type IncomingMessage, request } from "node:http";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

/** An answer of another status than 200. */
export class StatusError extends Error {
  override name = "StatusError";
  constructor(
    readonly status: number,
    /** Seconds, where the server said when to come back. */
    readonly retryAfter: number | null,
    text: string,
  ) {
    super(`expected an answer, got ${status} ${text.slice(0, 200)}`);
  }
}

/** Asks one server on the loopback interface, over connections that stay open. */
export class Client {
  readonly #agent = new Agent({ keepAlive: true });

  constructor(readonly port: number) {}

  /** The JSON that answers a POST. Rejects where the status isn't 200. */
  async json<T>(path: string, body: unknown): Promise<T> {
    return JSON.parse(await whole(await this.#send("POST", path, body))) as T;
  }

  async get<T>(path: string): Promise<T> {
    return JSON.parse(await whole(await this.#send("GET", path))) as T;
  }

  /** POSTs, and hands over each event of the stream that answers; an event without a name is a "message". */
  async events(path: string, body: unknown, onEvent: (data: string, name: string) => void): Promise<void> {
    const response = await this.#send("POST", path, body);
    if (response.statusCode !== 200) {
      await whole(response);
      return;
    }
    let name = "message";
    for await (const line of createInterface({ input: response })) {
      if (line === "") name = "message";
      else if (line.startsWith("event: ")) name = line.slice(7);
      else if (line.startsWith("data: ")) onEvent(line.slice(6), name);
    }
  }

  /** Whether a GET of the path answers 200 now. */
  async isUp(path: string): Promise<boolean> {
    try {
      await whole(await this.#send("GET", path));
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(method: string, path: string, body?: unknown): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers = { "content-type": "application/json" };
      const options = { method, path, host: "127.0.0.1", port: this.port, agent: this.#agent, headers };
      const outgoing = request(options, resolve);
      outgoing.on("error", (error: NodeJS.ErrnoException) => {
        // The server closed an idle connection just as it was taken again: nothing was asked yet.
        if (outgoing.reusedSocket && error.code === "ECONNRESET") resolve(this.#send(method, path, body));
        else reject(error);
      });
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

async function whole(response: IncomingMessage): Promise<string> {
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) text += chunk;
  if (response.statusCode === 200) return text;
  const retryAfter = response.headers["retry-after"];
  throw new StatusError(response.statusCode!, retryAfter === undefined ? null : Number(retryAfter), text);
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
