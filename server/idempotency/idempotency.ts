import { createHash } from "node:crypto";
import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import { PublicError } from "../errors/errors.js";
import { bodyText } from "../http/body-text.js";
import type { Log } from "../log.js";
import { inSlices } from "../slices.js";
import { NOBODY, type Space, sizeOf } from "../store/space.js";
import type { Store, Write } from "../store/store.js";
import { RecordDamaged } from "../store/store-error.js";
import {
  type Answer,
  lastingEvents,
  lastingHeaders,
  readAnswer,
  recordResponse,
} from "./response-recorder.js";

export interface IdempotencyOptions {
  store: Store;
  space: Space;
  /** How long an answer is kept, in milliseconds. */
  ttlMs: number;
  /** The caller of the request that `res` answers. */
  callerOf: (res: Response) => string;
  log: Pick<Log, "error">;
  /** Milliseconds by a clock that does not jump. Default: the store's */
  now?: () => number;
}

/** Stored for a key whose answer is kept. */
interface KeyRecord {
  /** Null if the record was lost from a damaged store. */
  fingerprint: string | null;
  /** Null if the record was lost, or is an earlier version's. */
  caller: string | null;
  createdAt: number;
  bytes: number;
}

/** Returns a stored value if it is a key's record, else null. */
function readKeyRecord(value: unknown): KeyRecord | null {
  const { fingerprint, caller = null, createdAt, bytes } = (value ?? {}) as Record<string, unknown>;
  const isRecord =
    (fingerprint === null || typeof fingerprint === "string") &&
    (caller === null || typeof caller === "string") &&
    Number.isFinite(createdAt) &&
    Number.isFinite(bytes);
  return isRecord ? (value as KeyRecord) : null;
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
const ANSWERS = "answer/";
const answerKey = (id: string) => ANSWERS + id;

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
  /** Answers that the disk did not take. */
  readonly #owed = new Map<string, Answer>();
  readonly #firsts = new Map<string, FirstRequest>();
  readonly #firstOf = new WeakMap<Response, { id: string; first: FirstRequest }>();

  private constructor(options: IdempotencyOptions) {
    this.#options = options;
    this.#now = options.now ?? options.store.now;
    options.store.onWritable(() => void this.#saveOwed());
    options.space.addExpiries((caller) => this.#firstExpiry(caller));
  }

  /** Reads the store. @throws StoreError */
  static async open(options: IdempotencyOptions): Promise<Idempotency> {
    const idempotency = new Idempotency(options);
    const strange: string[] = [];
    for await (const [key, value] of options.store.entries(RECORDS)) {
      const record = readKeyRecord(value);
      if (record === null) {
        strange.push(key);
        continue;
      }
      record.caller ??= null;
      idempotency.#records.set(key.slice(RECORDS.length), record);
      options.space.take(record.caller ?? NOBODY, record.bytes);
    }
    // Nobody knows whether these requests were carried out, so they must not be carried out again.
    const answers = (await options.store.keys(ANSWERS)).map((key) => RECORDS + key.slice(ANSWERS.length));
    for (const key of [...strange, ...(await options.store.lost(RECORDS)), ...answers]) {
      const id = key.slice(RECORDS.length);
      if (idempotency.#records.has(id)) continue;
      idempotency.#records.set(id, {
        fingerprint: null,
        caller: null,
        createdAt: idempotency.#now(),
        bytes: 0,
      });
    }
    return idempotency;
  }

  /** Belongs before the routes, and after the middleware that reads and validates the body. */
  handle(): RequestHandler {
    return async (req, res, next) => {
      const given = req.get("Idempotency-Key");
      if (given === undefined) return next();
      const caller = this.#options.callerOf(res);
      const id = digest(caller, unquoted(given));
      const fingerprint = digest(req.path, bodyText(req.body));
      for (;;) {
        const known = this.#firsts.get(id) ?? this.#unexpired(id);
        if (known === undefined) break;
        if (known.fingerprint === null) throw new PublicError("record_damaged");
        if (known.fingerprint !== fingerprint) throw new PublicError("idempotency_conflict");
        if (!("settled" in known)) {
          const answer = this.#owed.get(id) ?? (await this.#answerTo(id));
          if (answer !== undefined) return replay(res, answer);
          // Unless it has just expired, its answer is lost. To carry the request out again would be the second time.
          if (this.#records.get(id) === known) throw new PublicError("record_damaged");
          continue;
        }
        await known.settled;
        if (req.socket.destroyed) return;
      }
      this.#checkRoom(caller);
      this.#begin(res, id, fingerprint);
      next();
    };
  }

  #checkRoom(caller: string): void {
    const { space, store } = this.#options;
    const fullness = space.fullness(caller);
    if (fullness === "store_full") throw new PublicError(fullness);
    if (fullness !== null) throw new PublicError(fullness, { retryAfter: space.retryAfter(caller) });
    if (!store.isWritable) throw new PublicError("store_unwritable");
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
    const { fingerprint } = first;
    const caller = this.#options.callerOf(res);
    first.record = { fingerprint, caller, createdAt: this.#now(), bytes: sizeOf(text) };
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
        const keys: string[] = [];
        for (const [id, record] of expired) {
          this.#records.delete(id);
          this.#owed.delete(id);
          this.#options.space.give(record.caller ?? NOBODY, record.bytes);
          keys.push(RECORDS + id, answerKey(id));
          if (record.fingerprint === null) keys.push(this.#options.store.forgetLost(RECORDS + id)[0]);
        }
        await this.#options.store.remove(keys);
      },
    );
  }

  async #answerTo(id: string): Promise<Answer | undefined> {
    try {
      return readAnswer(await this.#options.store.get(answerKey(id))) ?? undefined;
    } catch (error) {
      if (error instanceof RecordDamaged) return undefined;
      throw error;
    }
  }

  /** Writes what the disk did not take before. */
  async #saveOwed(): Promise<void> {
    const { store, log } = this.#options;
    for (const [id, answer] of this.#owed) {
      const record = this.#records.get(id);
      if (record === undefined) continue;
      try {
        await store.write([
          [RECORDS + id, JSON.stringify(record)],
          [answerKey(id), JSON.stringify(answer)],
        ]);
        this.#owed.delete(id);
      } catch (error) {
        log.error(`an answer cannot be kept for its Idempotency-Key: ${(error as Error).message}`);
      }
    }
  }

  #unexpired(id: string): KeyRecord | undefined {
    const record = this.#records.get(id);
    return record === undefined || this.#isExpired(record) ? undefined : record;
  }

  /** Milliseconds until the first of a caller's answers expires. */
  #firstExpiry(caller: string): number {
    let first = Number.POSITIVE_INFINITY;
    for (const record of this.#records.values())
      if (record.caller === caller) first = Math.min(first, record.createdAt);
    return first + this.#options.ttlMs - this.#now();
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
    if (first.record === null) {
      const isStream = headers["content-type"]?.startsWith("text/event-stream");
      const kept = isStream ? { ...answer, body: lastingEvents(body) } : answer;
      try {
        await store.write(this.#keep(res, kept));
      } catch (error) {
        // As long as this process lives, a second request gets the answer all the same.
        this.#owed.set(id, kept);
        log.error(`an answer cannot be stored for its Idempotency-Key: ${(error as Error).message}`);
      }
    }
    const expired = this.#records.get(id);
    if (expired !== undefined) space.give(expired.caller ?? NOBODY, expired.bytes);
    space.take(first.record!.caller!, first.record!.bytes);
    this.#records.set(id, first.record!);
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
