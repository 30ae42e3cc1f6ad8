import { PublicError } from "../errors/errors.js";
import { bodyText } from "../http/body-text.js";
import type { Log } from "../log.js";
import { Holdings, shareOf } from "../shares.js";
import { inSlices } from "../slices.js";
import { type Fullness, type Space, sizeOf } from "../store/space.js";
import type { Store, Write } from "../store/store.js";
import { RecordDamaged, StoreUnwritable } from "../store/store-error.js";
import type { TraceContext } from "../telemetry/summary.js";
import {
  type Failure,
  isActive,
  isRunning,
  type Job,
  type JobRecord,
  type JobResult,
  type JobState,
  newJob,
  readJobRecord,
  readJobResult,
  recordOf,
} from "./job.js";
import { WaitingLine } from "./waiting-line.js";

export interface JobsOptions {
  store: Store;
  space: Space;
  /** How many jobs may wait. */
  limit: number;
  /** Whether there are several callers: half of the waiting jobs may then be one's. Default: no. */
  several?: (() => boolean) | undefined;
  /** For how long a job is kept after its end, in milliseconds. */
  ttlMs: number;
  log: Pick<Log, "error">;
  /** Milliseconds since 1970, as clients see them. */
  now?: () => number;
  /** The clock by which jobs expire and callbacks are due. Default: `now` if it is given, else the store's. */
  steady?: () => number;
}

/** What a job is made of. */
export interface JobRequest {
  id: string;
  caller: string;
  endpoint: string;
  /** Valid for the endpoint, with a seed. */
  body: object;
  priority: number;
  maxTokens: number;
  callbackUrl: string | null;
  /** Default: the request is part of no trace. */
  trace?: TraceContext | null;
}

export interface JobFilter {
  state?: JobState | undefined;
  endpoint?: string | undefined;
  /** Only jobs accepted at this time or later; milliseconds since 1970. */
  since?: number | undefined;
  /** Only jobs accepted before the one with this order. */
  before?: number | undefined;
  limit: number;
}

/** A job is refused: too many jobs wait, the store is full, or the caller's share of either is taken. */
export class JobsFull extends Error {
  override name = "JobsFull";
  constructor(readonly reason: "jobs_full" | "caller_jobs_full" | Fullness) {
    super(reason);
  }
}

const RECORDS = "job/";
const recordKey = ({ order }: Pick<JobRecord, "order">) => `${RECORDS}${String(order).padStart(16, "0")}`;
const bodyKey = ({ id }: JobRecord) => `body/${id}`;
const resultKey = ({ id }: JobRecord) => `result/${id}`;

/**
 * All jobs. Every change of state happens here. An end takes effect in memory at once: when two exclude each other, such
 * as a result and a cancellation, the second finds the first. Clients see an end only when it is on disk, because what
 * they have seen must still hold after a restart.
 */
export class Jobs {
  readonly line = new WaitingLine();
  readonly #store: Store;
  readonly #space: Space;
  readonly #limit: number;
  readonly #several: () => boolean;
  readonly #ttlMs: number;
  readonly #log: Pick<Log, "error">;
  readonly #now: () => number;
  readonly #steady: () => number;
  readonly #byId = new Map<string, Job>();
  /** Each caller's jobs, in the order of acceptance. */
  readonly #byCaller = new Map<string, Job[]>();
  readonly #onWaiting: (() => void)[] = [];
  readonly #onEnd: ((job: Job) => void)[] = [];
  /** Jobs whose last change the disk did not take, with what belongs to it. */
  readonly #owed = new Map<Job, readonly Write[]>();
  #lastOrder = 0;
  /** Jobs that are being checked or written; they are in no list yet, and count for the limit. */
  readonly #arriving = new Holdings();

  private constructor(options: JobsOptions) {
    const { store, space, limit, several = () => false, ttlMs, log, now = Date.now, steady } = options;
    this.#store = store;
    this.#space = space;
    this.#limit = limit;
    this.#several = several;
    this.#ttlMs = ttlMs;
    this.#log = log;
    this.#now = now;
    this.#steady = steady ?? (now === Date.now ? store.now : now);
    store.onWritable(() => void this.#saveOwed());
    space.addExpiries((caller) => this.#firstExpiry(caller));
  }

  /** Reads the store. Jobs that ran when the last process ended wait again, before all others. @throws StoreError */
  static async open(options: JobsOptions): Promise<Jobs> {
    const jobs = new Jobs(options);
    const { store, space } = options;
    const begun: Job[] = [];
    const waiting: Job[] = [];
    const strange: string[] = [];
    for await (const [key, value] of store.entries(RECORDS)) {
      const record = readJobRecord(value);
      if (record === null || recordKey(record) !== key) {
        strange.push(key);
        continue;
      }
      const job = newJob(record);
      jobs.#lastOrder = job.order;
      space.take(job.caller, job.bytes);
      jobs.#know(job);
      if (job.state === "running") begun.push(job);
      else if (job.state === "queued") waiting.push(job);
    }
    for (const job of begun) {
      job.state = "queued";
      job.startedAt = null;
      jobs.line.putBack(job);
    }
    for (const job of waiting) jobs.line.add(job);
    for (const key of strange) jobs.#log.error(`the stored record ${key} is no job's: it is dropped`);
    if (strange.length > 0) await store.remove(strange).catch(() => {});
    await jobs.#missWhatIsLost();
    return jobs;
  }

  /** Every job, in the order of acceptance. */
  all(): IterableIterator<Job> {
    return this.#byId.values();
  }

  /** Calls back whenever a job may have become ready for `next`. */
  onWaiting(callback: () => void): void {
    this.#onWaiting.push(callback);
  }

  /** Calls back when a job's end is on disk. */
  onEnd(callback: (job: Job) => void): void {
    this.#onEnd.push(callback);
  }

  /** Holds a place for a caller's job while its body is checked. @throws JobsFull */
  async whileArriving<T>(caller: string, check: () => Promise<T>): Promise<T> {
    this.#checkRoom(caller);
    this.#arriving.take(caller);
    try {
      return await check();
    } finally {
      this.#arriving.give(caller);
    }
  }

  /**
   * Resolves when the job is on disk. The writes that `along` returns go with it, as one atomic write.
   * @throws JobsFull
   */
  async accept(request: JobRequest, along: (job: Job) => readonly Write[] = () => []): Promise<Job> {
    const { id, caller, endpoint, priority, maxTokens, callbackUrl, trace } = request;
    this.#checkRoom(caller);
    const now = this.#now();
    const body = bodyText(request.body);
    const job = newJob({
      id,
      order: ++this.#lastOrder,
      caller,
      endpoint,
      state: "queued",
      priority,
      createdAt: now,
      startedAt: null,
      endedAt: null,
      attempts: 0,
      maxTokens,
      bytes: sizeOf(body),
      failure: null,
      callback:
        callbackUrl === null ? null : { url: callbackUrl, state: "waiting", attempts: 0, since: 0, due: 0 },
      ...(trace && { trace }),
    });
    // Count it before it is written, or many that come at once would all find room.
    this.#arriving.take(caller);
    this.#space.take(caller, job.bytes);
    try {
      await this.#store.write([this.#recordWrite(recordOf(job)), [bodyKey(job), body], ...along(job)]);
    } catch (error) {
      this.#space.give(caller, job.bytes);
      throw error instanceof StoreUnwritable ? unwritable(error) : error;
    } finally {
      this.#arriving.give(caller);
    }
    this.#know(job);
    this.line.add(job);
    for (const callback of this.#onWaiting) callback();
    return job;
  }

  /** A caller finds only its own jobs. */
  find(caller: string, id: string): Job | undefined {
    const job = this.#byId.get(id);
    return job === undefined || job.caller !== caller || this.#isExpired(job) ? undefined : job;
  }

  /** A caller's jobs, newest first; `more` says whether others follow. */
  list(
    caller: string,
    { state, endpoint, since = 0, before = Infinity, limit }: JobFilter,
  ): { jobs: Job[]; more: boolean } {
    const found: Job[] = [];
    const own = this.#byCaller.get(caller) ?? [];
    for (let index = own.length - 1; index >= 0; index--) {
      const job = own[index]!;
      if (job.order >= before || job.createdAt < since || this.#isExpired(job)) continue;
      if (state !== undefined && job.state !== state) continue;
      if (endpoint !== undefined && job.endpoint !== endpoint) continue;
      if (found.length === limit) return { jobs: found, more: true };
      found.push(job);
    }
    return { jobs: found, more: false };
  }

  expiresAt({ endedAt }: Job): number | null {
    return endedAt === null ? null : endedAt + this.#ttlMs;
  }

  /** The body of an active job. @throws PublicError if the store has lost it */
  async bodyOf(job: Job): Promise<object> {
    const body = await this.#undamaged<object>(bodyKey(job));
    if (body === undefined) throw new PublicError("record_damaged", { inner: `the body of job ${job.id}` });
    return body;
  }

  /**
   * The result of a job that is done; undefined if the job was forgotten meanwhile, or if the store has lost the result:
   * the job has then failed.
   */
  async resultOf(job: Job): Promise<JobResult | undefined> {
    const result = job.unsaved ?? readJobResult(await this.#undamaged(resultKey(job))) ?? undefined;
    if (result === undefined && job.state === "done" && this.#byId.get(job.id) === job) this.#spoil(job);
    return result;
  }

  /** Takes the next job of a caller that `mayStart`; its state is `running` from now on. */
  next(mayStart?: (caller: string) => boolean): Job | undefined {
    const job = this.line.shift(mayStart);
    if (job === undefined) return undefined;
    job.state = "running";
    job.startedAt = this.#now();
    job.attempts++;
    this.#changed(job);
    return job;
  }

  /** A running job was interrupted: it waits again. */
  putBack(job: Job): void {
    if (!isRunning(job)) return;
    job.state = "queued";
    job.startedAt = null;
    job.sequences = [];
    this.line.putBack(job);
    this.#changed(job);
  }

  /** A running job has written more text. */
  wrote(job: Job): void {
    for (const watcher of job.watchers) watcher();
  }

  finish(job: Job, result: JobResult): Promise<void> {
    if (!isRunning(job)) return Promise.resolve();
    const text = JSON.stringify(result);
    this.#space.take(job.caller, Buffer.byteLength(text));
    const bytes = job.bytes + Buffer.byteLength(text);
    return this.#end(job, { state: "done", bytes }, { result, writes: [[resultKey(job), text]] });
  }

  fail(job: Job, failure: Failure): Promise<void> {
    return isRunning(job) ? this.#end(job, { state: "failed", failure }) : Promise.resolve();
  }

  /** Resolves when the end is on disk. Does nothing to a job that has ended. */
  cancel(job: Job): Promise<void> {
    if (!isActive(job) || job.ending !== null) return job.ending ?? Promise.resolve();
    this.line.remove(job);
    return this.#end(job, { state: "cancelled" });
  }

  /** Removes a job that has ended, with its body and its result. */
  async forget(job: Job): Promise<void> {
    await this.#forgetAll([job]);
  }

  /** Forgets expired jobs, except those whose callback is still to be delivered. */
  async sweep(): Promise<void> {
    await inSlices(
      this.#byId.values(),
      (job) => this.#isExpired(job) && job.callback?.state !== "pending",
      (expired) => this.#forgetAll(expired),
    );
  }

  /** Writes a change of a job's callback. */
  saveCallback(job: Job): void {
    if (this.#byId.get(job.id) === job) this.#changed(job);
  }

  #checkRoom(caller: string): void {
    if (this.line.size + this.#arriving.sum >= this.#limit) throw new JobsFull("jobs_full");
    const own = this.line.sizeOf(caller) + this.#arriving.of(caller);
    if (own >= shareOf(this.#limit, this.#several())) throw new JobsFull("caller_jobs_full");
    const fullness = this.#space.fullness(caller);
    if (fullness !== null) throw new JobsFull(fullness);
    if (!this.#store.isWritable) throw unwritable();
  }

  /** Milliseconds until the first of a caller's jobs expires. One that has not ended counts as if it ended now. */
  #firstExpiry(caller: string): number {
    const now = this.#steady();
    const own = this.#byCaller.get(caller) ?? [];
    return own.reduce(
      (first, { endedBySteady, endedAt }) =>
        Math.min(first, (endedBySteady ?? endedAt ?? now) + this.#ttlMs - now),
      Number.POSITIVE_INFINITY,
    );
  }

  async #forgetAll(jobs: readonly Job[]): Promise<void> {
    const known = jobs.filter((job) => this.#byId.get(job.id) === job);
    for (const job of known) {
      this.#byId.delete(job.id);
      this.#space.give(job.caller, job.bytes);
      // Otherwise a callback that is being sent would write the record again.
      job.callback = null;
    }
    // One pass over a caller's list, however many of its jobs go.
    for (const caller of new Set(known.map((job) => job.caller))) {
      const left = this.#byCaller.get(caller)!.filter(({ id }) => this.#byId.has(id));
      if (left.length > 0) this.#byCaller.set(caller, left);
      else this.#byCaller.delete(caller);
    }
    if (known.length === 0) return;
    const keys = known.flatMap((job) => [recordKey(job), bodyKey(job), resultKey(job)]);
    await this.#store.remove(keys);
  }

  #isExpired({ endedAt, endedBySteady }: Job): boolean {
    const ended = endedBySteady ?? endedAt;
    return ended !== null && ended + this.#ttlMs <= this.#steady();
  }

  async #undamaged<T>(key: string): Promise<T | undefined> {
    try {
      return await this.#store.get<T>(key);
    } catch (error) {
      if (error instanceof RecordDamaged) return undefined;
      throw error;
    }
  }

  /** After a damage of the store: fails jobs whose body or result is lost, and names those that are lost themselves. */
  async #missWhatIsLost(): Promise<void> {
    const left = new Set(await this.#store.keys("body/"));
    for (const key of await this.#store.keys("result/")) left.add(key);
    const misses = (job: Job) => {
      const hasBody = left.delete(bodyKey(job));
      const hasResult = left.delete(resultKey(job));
      return isActive(job) ? !hasBody : job.state === "done" && !hasResult;
    };
    await inSlices(this.#byId.values(), misses, async (jobs) => {
      await Promise.all(jobs.map((job) => (isActive(job) ? this.#failWithoutBody(job) : this.#spoil(job))));
    });
    const lost = [];
    for (const prefix of [RECORDS, "body/", "result/"]) lost.push(...(await this.#store.lost(prefix)));
    for (const key of left)
      this.#log.error(
        `job ${key.slice(key.indexOf("/") + 1)} is lost: its record is gone, and only its ${key} was left`,
      );
    const writes = [
      ...[...left].map((key) => [key, null] as const),
      ...lost.map((key) => this.#store.forgetLost(key)),
    ];
    if (writes.length > 0) await this.#store.write(writes);
  }

  #failWithoutBody(job: Job): Promise<void> {
    this.#log.error(`job ${job.id} failed: its body is lost from the store`);
    this.line.remove(job);
    return this.#end(job, { state: "failed", failure: damaged() });
  }

  /** A job that is done has lost its result. */
  #spoil(job: Job): void {
    this.#log.error(`job ${job.id} failed after its end: its result is lost from the store`);
    job.state = "failed";
    job.failure = damaged();
    this.#changed(job);
  }

  /** Writes what the disk did not take before. */
  async #saveOwed(): Promise<void> {
    // Each stays owed until its turn, so that a change of its callback meanwhile takes it along.
    for (const job of [...this.#owed.keys()]) {
      if (this.#byId.get(job.id) !== job) this.#owed.delete(job);
      else if (this.#owed.has(job)) await this.#save(job, recordOf(job));
    }
  }

  #know(job: Job): void {
    this.#byId.set(job.id, job);
    const own = this.#byCaller.get(job.caller);
    if (own === undefined) this.#byCaller.set(job.caller, [job]);
    else own.push(job);
  }

  #end(
    job: Job,
    change: Partial<JobRecord>,
    { result = null, writes = [] }: { result?: JobResult | null; writes?: readonly Write[] } = {},
  ): Promise<void> {
    const endedAt = this.#now();
    const steady = this.#steady();
    const callback = job.callback && {
      ...{ url: job.callback.url, state: "pending" as const },
      ...{ attempts: 0, since: steady, due: steady },
    };
    const bySteady = steady === endedAt ? {} : { endedBySteady: steady };
    const record = { ...recordOf(job), ...change, endedAt, ...bySteady, callback };
    const end = async () => {
      const isSaved = await this.#save(job, record, [...writes, [bodyKey(job), null]]);
      Object.assign(job, record, { sequences: [], unsaved: isSaved ? null : result });
      for (const callback of this.#onEnd) callback(job);
      for (const watcher of [...job.watchers]) watcher();
    };
    job.ending = end();
    return job.ending;
  }

  /** Does not wait for the disk: after a crash, the next start finds the older state and repeats the work. */
  #changed(job: Job): void {
    void this.#save(job, recordOf(job));
    for (const watcher of [...job.watchers]) watcher();
  }

  async #save(job: Job, record: JobRecord, writes: readonly Write[] = []): Promise<boolean> {
    const owed = this.#owed.get(job) ?? [];
    const all = [...owed, ...writes];
    this.#owed.delete(job);
    try {
      await this.#store.write([this.#recordWrite(record), ...all]);
      if (owed.length > 0) job.unsaved = null;
      return true;
    } catch (error) {
      // Two changes may be refused at once.
      this.#owed.set(job, [...(this.#owed.get(job) ?? []), ...all]);
      const { id, state } = record;
      this.#log.error(`job ${id} (${state}) cannot be stored: ${(error as Error).message}`);
      return false;
    }
  }

  #recordWrite(record: JobRecord): Write {
    return [recordKey(record), JSON.stringify(record)];
  }
}

const damaged = (): Failure => {
  const { code, status, body } = new PublicError("record_damaged");
  return { code, status, detail: body.detail };
};

/** Without Retry-After: nobody knows when the disk takes writes again. */
const unwritable = (error?: Error) => new PublicError("store_unwritable", error && { inner: error.message });
