import { Agent, type IncomingMessage, request } from "node:http";
import { EventReader, type ServerSentEvent } from "../../server-sent-events.js";

/** An answer with a status other than 200. */
class StatusError extends Error {
  override name = "StatusError";
  constructor(
    readonly status: number,
    /** The answer's Retry-After in seconds, or null. */
    readonly retryAfter: number | null,
    text: string,
  ) {
    super(`expected an answer, got ${status} ${text.slice(0, 200)}`);
  }
}

/** An HTTP client of one server on the loopback interface, with keep-alive. Rejects if the status isn't 200. */
export class Client {
  readonly #agent = new Agent({ keepAlive: true });

  constructor(readonly port: number) {}

  async get<T>(path: string): Promise<T> {
    return JSON.parse(await whole(await this.#send("GET", path))) as T;
  }

  /** POSTs JSON; resolves to the answer's JSON. */
  async json<T>(path: string, body: unknown): Promise<T> {
    return JSON.parse(await whole(await this.#send("POST", path, body))) as T;
  }

  /** POSTs JSON and calls back with each event of the answer's stream. */
  async events(path: string, body: unknown, onEvent: (event: ServerSentEvent) => void): Promise<void> {
    const reader = new EventReader();
    await whole(await this.#send("POST", path, body), (piece) => {
      for (const event of reader.push(piece)) onEvent(event);
    });
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
        // The server closed an idle connection just as it was reused, so it has not seen the request: send it again.
        if (outgoing.reusedSocket && error.code === "ECONNRESET") resolve(this.#send(method, path, body));
        else reject(error);
      });
      outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

async function whole(response: IncomingMessage, onPiece?: (text: string) => void): Promise<string> {
  const { statusCode: status = 0, headers } = response;
  let text = "";
  for await (const piece of response.setEncoding("utf8")) {
    if (status === 200 && onPiece) onPiece(piece);
    else text += piece;
  }
  if (status === 200) return text;
  const retryAfter = headers["retry-after"];
  throw new StatusError(status, retryAfter === undefined ? null : Number(retryAfter), text);
}
