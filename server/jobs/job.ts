import type { TraceContext } from "../telemetry/summary.js";

/** `queued` and `running` are active; the others are ends, which nothing follows. */
export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

/** The error of a failed job, as its endpoint would have answered it. */
export interface Failure {
  code: string;
  status: number;
  detail: unknown;
}

/** A callback: where the end of its job is reported to, and the state of that. */
export interface Callback {
  url: string;
  state: "waiting" | "pending" | "delivered" | "failed";
  attempts: number;
  /** When the first attempt was due, and when the next is; milliseconds since 1970. */
  since: number;
  due: number;
}

/** A job's record, without its body and its result. Times are in milliseconds since 1970. */
export interface JobRecord {
  id: string;
  /** Its place in the order of acceptance, from 1. */
  order: number;
  /** The caller's name. */
  caller: string;
  /** The operation's path. */
  endpoint: string;
  state: JobState;
  priority: number;
  createdAt: number;
  startedAt: number | null;
  endedAt: number | null;
  /** When it ended by the store's clock, by which it expires; left out if that is `endedAt`. */
  endedBySteady?: number;
  /** How many times it was started. */
  attempts: number;
  /** The sum over its sequences. */
  maxTokens: number;
  /** What it counts for in the bound on the store. */
  bytes: number;
  failure: Failure | null;
  callback: Callback | null;
  /** Of the request that created it; left out if that was part of no trace. */
  trace?: TraceContext;
}

const states: readonly unknown[] = ["queued", "running", "done", "failed", "cancelled"];
const callbackStates: readonly unknown[] = ["waiting", "pending", "delivered", "failed"];
const isText = (value: unknown) => typeof value === "string";
const isAmount = (value: unknown) => typeof value === "number" && value >= 0 && value <= LATEST;
/** The last time that is a date. */
const LATEST = 8.64e15;
const fieldsOf = (value: unknown) => (value ?? {}) as Record<string, unknown>;

/** Returns a stored value if it is a job's record, else null. */
export function readJobRecord(value: unknown): JobRecord | null {
  const { id, order, caller, endpoint, state, priority, failure, callback, trace, ...times } =
    fieldsOf(value);
  const { createdAt, startedAt, endedAt, endedBySteady = 0, attempts, maxTokens, bytes } = times;
  const isRecord =
    [id, caller, endpoint].every(isText) &&
    [order, createdAt, startedAt ?? 0, endedAt ?? 0, endedBySteady, attempts, maxTokens, bytes].every(
      isAmount,
    ) &&
    Number.isSafeInteger(order) &&
    typeof priority === "number" &&
    states.includes(state) &&
    (endedAt === null) === (state === "queued" || state === "running") &&
    (failure === null ? state !== "failed" : isFailure(failure)) &&
    (callback === null || isCallback(callback)) &&
    (trace === undefined || isTrace(trace));
  return isRecord ? (value as JobRecord) : null;
}

function isFailure(value: unknown): boolean {
  const { code, status } = fieldsOf(value);
  return isText(code) && isAmount(status);
}

function isCallback(value: unknown): boolean {
  const { url, state, attempts, since, due } = fieldsOf(value);
  return (
    isText(url) &&
    URL.canParse(url as string) &&
    callbackStates.includes(state) &&
    [attempts, since, due].every(isAmount)
  );
}

function isTrace(trace: unknown): boolean {
  const { traceparent, tracestate = "" } = fieldsOf(trace);
  return isText(traceparent) && isText(tracestate);
}

/** Returns a stored value if it is a job's result, else null. */
export function readJobResult(value: unknown): JobResult | null {
  const { answer, sequences } = fieldsOf(value);
  const isWritten = (one: unknown) => isText(fieldsOf(one).text) && isAmount(fieldsOf(one).tokens);
  const isResult =
    typeof answer === "object" && answer !== null && Array.isArray(sequences) && sequences.every(isWritten);
  return isResult ? (value as JobResult) : null;
}

/** What a sequence has written so far. */
export interface Written {
  text: string;
  tokens: number;
}

/** The result of a job that is done. */
export interface JobResult {
  /** The body of the answer that its endpoint would have given. */
  answer: object;
  sequences: Written[];
}

/** A job in memory: its record, and the state that is not stored. */
export interface Job extends JobRecord {
  /** What each sequence has written, while the job runs. The store has the texts of a job that is done. */
  sequences: Written[];
  /** The result, if it could not be written to the disk. After a restart the job runs again, with the same result. */
  unsaved: JobResult | null;
  /** Settles when the end is on disk; null while the job has not ended. */
  ending: Promise<void> | null;
  /** Called when something about it has changed. */
  readonly watchers: Set<() => void>;
}

export const isActive = ({ state }: Pick<JobRecord, "state">) => state === "queued" || state === "running";

/** Whether it runs and has not ended; an end that is not on disk yet counts. */
export const isRunning = ({ state, ending }: Job) => state === "running" && ending === null;

/** Turns the record itself into a job: copying 100,000 records would take most of a start's time. */
export function newJob(record: JobRecord): Job {
  return Object.assign(record, {
    sequences: [],
    unsaved: null,
    ending: null,
    watchers: new Set<() => void>(),
  });
}

export function recordOf({
  sequences: _sequences,
  unsaved: _unsaved,
  ending: _ending,
  watchers: _watchers,
  ...record
}: Job): JobRecord {
  return record;
}

export function tokensOf(sequences: readonly Written[]): number {
  return sequences.reduce((sum, { tokens }) => sum + tokens, 0);
}
