import { createHash } from "node:crypto";
import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import { PublicError } from "../errors/errors.js";
import { bodyText } from "../http/body-text.js";
import type { Log } from "../log.js";
import { inSlices } from "../slices.js";
import { type Space, sizeOf } from "../store/space.js";
import type { Store, Write } from "../store/store.js";
import { type Answer, lastingEvents, lastingHeaders, recordResponse } from "./response-recorder.js";

export interface IdempotencyOptions {
  store: Store;
  space: Space;
  /** How long an answer is kept, in milliseconds. */
  ttlMs: number;
  /** The caller of the request that `res` answers. */
  callerOf: (res: Response) => string;
  log: Pick<Log, "error">;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** Stored for a key whose answer is kept. */
interface KeyRecord {
  fingerprint: string;
  createdAt: number;
  bytes: number;
}

/** The request that runs for a key. */
interface FirstRequest {
  fingerprint: string;
  /** Resolves when the request has ended, with or without an answer. */
  settled: Promise<void>;
  settle: () => void;
  /** Set once the answer is being written to the store. */
  record: KeyRecord | null;
  /** If true, its answer must not be kept. */
  released: boolean;
}

const RECORDS = "key/";
const answerKey = (id: string) => `answer/${id}`;

/** Statuses below 500 that a retry may change. Such answers aren't kept. */
const transientStatuses = new Set([408, 409, 425, 429]);

/**
 * Carries out only the first request with a given `Idempotency-Key`; the others wait for its answer and get it too
 * (https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header). If the server fails or the first
 * client disconnects, the next request with the key is carried out.
 */
export class Idempotency {
  readonly #options: IdempotencyOptions;
  readonly #now: () => number;
  readonly #records = new Map<string, KeyRecord>();
  readonly #firsts = new Map<string, FirstRequest>();
  readonly #firstOf = new WeakMap<Response, { id: string; first: FirstRequest }>();

  private constructor(options: IdempotencyOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Reads the store. @throws StoreError */
  static async open(options: IdempotencyOptions): Promise<Idempotency> {
    const idempotency = new Idempotency(options);
    for await (const [key, record] of options.store.entries<KeyRecord>(RECORDS)) {
      idempotency.#records.set(key.slice(RECORDS.length), record);
      options.space.take(record.bytes);
    }
    return idempotency;
  }

  /** Belongs before the routes, and after the middleware that reads and validates the body. */
  handle(): RequestHandler {
    return async (req, res, next) => {
      const given = req.get("Idempotency-Key");
      if (given === undefined) return next();
      const id = digest(this.#options.callerOf(res), unquoted(given));
      const fingerprint = digest(req.path, bodyText(req.body));
      for (;;) {
        const known = this.#firsts.get(id) ?? this.#unexpired(id);
        if (known === undefined) break;
        if (known.fingerprint !== fingerprint) throw new PublicError("idempotency_conflict");
        if (!("settled" in known)) {
          const answer = await this.#options.store.get<Answer>(answerKey(id));
          if (answer !== undefined) return replay(res, answer);
          this.#records.delete(id);
          continue;
        }
        await known.settled;
        if (req.socket.destroyed) return;
      }
      if (this.#options.space.full) throw new PublicError("store_full");
      this.#begin(res, id, fingerprint);
      next();
    };
  }

  /** Belongs after the routes: keeps a stream that fails midway from being replayed, though its status is 200. */
  handleError(): ErrorRequestHandler {
    return (error, _req, res, next) => {
      const known = this.#firstOf.get(res);
      if (known !== undefined && res.headersSent) known.first.released = true;
      next(error);
    };
  }

  /**
   * The writes that keep a response about to be sent with this body. The caller adds them to writes of its own, so that
   * both are stored or neither is. Empty for a request without a key.
   */
  keep(res: Response, body: object): readonly Write[] {
    return this.#keep(res, {
      status: res.statusCode,
      headers: { ...lastingHeaders(res), "content-type": "application/json; charset=utf-8" },
      body: JSON.stringify(body),
    });
  }

  #keep(res: Response, answer: Answer): readonly Write[] {
    const known = this.#firstOf.get(res);
    if (known === undefined) return [];
    const { id, first } = known;
    const text = JSON.stringify(answer);
    first.record = { fingerprint: first.fingerprint, createdAt: this.#now(), bytes: sizeOf(text) };
    return [
      [RECORDS + id, JSON.stringify(first.record)],
      [answerKey(id), text],
    ];
  }

  /** Deletes expired answers. */
  async sweep(): Promise<void> {
    await inSlices(
      this.#records,
      ([, record]) => this.#isExpired(record),
      async (expired) => {
        const writes: Write[] = [];
        for (const [id, record] of expired) {
          this.#records.delete(id);
          this.#options.space.give(record.bytes);
          writes.push([RECORDS + id, null], [answerKey(id), null]);
        }
        await this.#options.store.write(writes);
      },
    );
  }

  #unexpired(id: string): KeyRecord | undefined {
    const record = this.#records.get(id);
    return record === undefined || this.#isExpired(record) ? undefined : record;
  }

  #isExpired({ createdAt }: KeyRecord): boolean {
    return createdAt + this.#options.ttlMs <= this.#now();
  }

  #begin(res: Response, id: string, fingerprint: string): void {
    let settle!: () => void;
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const first: FirstRequest = { fingerprint, settled, settle, record: null, released: false };
    this.#firsts.set(id, first);
    this.#firstOf.set(res, { id, first });
    const release = () => {
      // If the client has left, the key may already belong to the next request.
      if (this.#firsts.get(id) === first) this.#firsts.delete(id);
      first.settle();
    };
    recordResponse(res, {
      broken: () => {
        // The answer is being written to disk, and is kept even if the client has left.
        if (first.record !== null) return;
        first.released = true;
        release();
      },
      whole: async (answer) => {
        try {
          await this.#keepWhole(res, id, first, answer);
        } finally {
          release();
        }
      },
    });
  }

  async #keepWhole(res: Response, id: string, first: FirstRequest, answer: Answer): Promise<void> {
    const { store, space, log } = this.#options;
    const { status, headers, body } = answer;
    if (first.released || status >= 500 || transientStatuses.has(status)) return;
    try {
      if (first.record === null) {
        const isStream = headers["content-type"]?.startsWith("text/event-stream");
        await store.write(this.#keep(res, isStream ? { ...answer, body: lastingEvents(body) } : answer));
      }
      const expired = this.#records.get(id);
      if (expired !== undefined) space.give(expired.bytes);
      space.take(first.record!.bytes);
      this.#records.set(id, first.record!);
    } catch (error) {
      // The client gets its answer all the same, but a second request will be carried out again.
      log.error(`an answer cannot be kept for its Idempotency-Key: ${(error as Error).message}`);
    }
  }
}

function replay(res: Response, { status, headers, body }: Answer): void {
  res.status(status).set(headers).set("Idempotent-Replayed", "true").end(body);
}

/** The draft's keys are strings in quotes; most clients send them bare. */
function unquoted(key: string): string {
  return /^"(.*)"$/.exec(key)?.[1] ?? key;
}

/** Hash of a list of texts. Their lengths are hashed too, to keep `["a", "bc"]` and `["ab", "c"]` apart. */
function digest(...texts: string[]): string {
  const hash = createHash("sha256");
  for (const text of texts) hash.update(`${text.length}:`).update(text);
  return hash.digest("base64url");
}
