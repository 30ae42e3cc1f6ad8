import { setTimeout as wait } from "node:timers/promises";
import { ImportError } from "../checkpoint/error.js";
import { PassingError } from "./passing-error.js";
import { refusalOf } from "./refusal.js";
import type { HubSettings } from "./settings.js";
import { chunksOf, reasonOf, Stall } from "./stall.js";

const MOST_REDIRECTS = 5;
/** Failures in a row, without a byte between them. */
const MOST_FAILURES = 5;
const LONGEST_WAIT_MS = 60_000;
/** Longest answer of the hub's API. A page of a listing has a thousand files. */
const MOST_API_BYTES = 16 << 20;
/** Most pages of a listing, so that a hub can't send pages without an end. */
const MOST_API_ANSWERS = 200;

/** Asks a hub, within bounds, and follows where it sends on. The token goes to the hub alone. */
export class HubClient {
  readonly settings: HubSettings;
  /** The beginning of error messages. */
  readonly subject: string;
  #answers = 0;
  /** Whether the hub has ever answered. Until it has, the settings may be wrong, and trying again doesn't help. */
  #met = false;

  constructor(settings: HubSettings, subject: string) {
    this.settings = settings;
    this.subject = subject;
  }

  /** `fetch` for API calls: the whole answer is read, and refusals are thrown. */
  readonly fetchApi: typeof fetch = async (input, init) => {
    if (++this.#answers > MOST_API_ANSWERS)
      throw this.error("expected a listing that ends, got page after page");
    const url = input instanceof Request ? input.url : String(input);
    return this.patiently(async () => {
      const answer = await this.open(url, init?.headers);
      try {
        if (!answer.response.ok) throw refusalOf(answer.response, this.settings, this.subject);
        return await this.#whole(answer);
      } finally {
        answer.close();
      }
    });
  };

  /**
   * Opens an answer, after redirects. Its `chunks` fail with a PassingError when the connection breaks or stalls. Its
   * `close` must be called.
   * @throws PassingError, or ImportError where another try would not help
   */
  async open(url: string, headers: RequestInit["headers"] = {}): Promise<OpenAnswer> {
    const { endpoint, token } = this.settings;
    let at = new URL(url);
    /** Headers of the hub's own answer. The last host, often another one, doesn't know what they say. */
    let first: Headers | undefined;
    for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
      const own = new Headers(headers);
      own.set("user-agent", "jai-server");
      own.delete("authorization");
      if (token !== null && at.origin === new URL(endpoint).origin)
        own.set("authorization", `Bearer ${token}`);
      const stall = new Stall(this.settings.stallMs);
      const response = await this.#fetch(at, own, stall);
      first ??= response.headers;
      const location = response.headers.get("location");
      if (response.status < 300 || response.status >= 400 || location === null)
        return { response, first, chunks: chunksOf(response, stall), close: () => stall.end() };
      stall.end();
      at = this.#next(at, location);
    }
    throw this.error(`expected a file, got more than ${MOST_REDIRECTS} redirects`);
  }

  /** Tries again what fails in passing, with waits between, until it fails too often in a row. @throws ImportError */
  async patiently<T>(work: (onBytes: () => void) => Promise<T>): Promise<T> {
    let failures = 0;
    for (;;) {
      try {
        return await work(() => {
          failures = 0;
        });
      } catch (error) {
        if (!(error instanceof PassingError)) throw error;
        if (++failures >= MOST_FAILURES)
          throw this.error(
            `expected an answer from ${this.host}, got ${error.message}, ${failures} times in a row; try again later, what has arrived is kept`,
          );
        await wait(Math.min(error.waitMs ?? this.settings.retryMs * 2 ** (failures - 1), LONGEST_WAIT_MS));
      }
    }
  }

  async #whole({ response: { status, headers }, chunks }: OpenAnswer): Promise<Response> {
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const chunk of chunks) {
      parts.push(chunk);
      length += chunk.length;
      if (length > MOST_API_BYTES)
        throw this.error(`expected an answer of at most ${MOST_API_BYTES} bytes, got more`);
    }
    return new Response(Buffer.concat(parts), { status, headers });
  }

  error(detail: string): ImportError {
    return new ImportError(this.subject, detail);
  }

  get host(): string {
    return new URL(this.settings.endpoint).host;
  }

  #next(from: URL, location: string): URL {
    const to = URL.canParse(location, from.href) ? new URL(location, from) : null;
    if (
      to === null ||
      !/^https?:$/.test(to.protocol) ||
      (from.protocol === "https:" && to.protocol === "http:")
    )
      throw this.error("expected a redirect to an https address, got another one");
    return to;
  }

  async #fetch(url: URL, headers: Headers, stall: Stall): Promise<Response> {
    // Another encoding would hide how many bytes are meant to come.
    headers.set("accept-encoding", "identity");
    try {
      const response = await fetch(url, { headers, redirect: "manual", signal: stall.signal });
      this.#met = true;
      return response;
    } catch (error) {
      const reason = reasonOf(error, stall);
      stall.end();
      if (this.#met || stall.happened) throw new PassingError(reason);
      throw this.error(
        `expected an answer from ${url.host}, got ${reason}; check the network and HF_ENDPOINT, or set HF_HUB_OFFLINE=1 to use what was downloaded before`,
      );
    }
  }
}

export interface OpenAnswer {
  response: Response;
  /** Headers of the hub's own answer, before redirects. */
  first: Headers;
  chunks: AsyncIterable<Uint8Array>;
  /** Lets go of the connection. */
  close(): void;
}
