/** `queued` and `running` are active; the others are ends, which nothing follows. */
export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

/** The error of a failed job, as its endpoint would have answered it. */
export interface Failure {
  code: string;
  status: number;
  detail: unknown;
}

/** Where the news of a job's end goes, and how far that has come. */
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
  /** The name of whose it is. */
  caller: string;
  /** The operation's path. */
  endpoint: string;
  state: JobState;
  priority: number;
  createdAt: number;
  startedAt: number | null;
  endedAt: number | null;
  /** How often it was started. */
  attempts: number;
  /** All that its sequences may get together. */
  maxTokens: number;
  /** Its share of the bound on the store. */
  bytes: number;
  failure: Failure | null;
  callback: Callback | null;
}

/** How far a sequence has come. */
export interface Written {
  text: string;
  tokens: number;
}

/** The result of a job that is done. */
export interface JobResult {
  /** The answer that its endpoint would have given. */
  answer: object;
  sequences: Written[];
}

/** A job of the store, in memory. */
export interface Job extends JobRecord {
  /** While it runs, what each of its sequences has written; after that, the store has it. */
  sequences: Written[];
  /** Its result, where the disk did not take it. Read from the disk the job would run again, with the same result. */
  unsaved: JobResult | null;
  /** Its end, on its way to the disk. */
  ending: Promise<void> | null;
  /** Called when something about it has changed. */
  readonly watchers: Set<() => void>;
}

export const isActive = ({ state }: Pick<JobRecord, "state">) => state === "queued" || state === "running";

/** And not about to end. */
export const isRunning = ({ state, ending }: Job) => state === "running" && ending === null;

export function newJob(record: JobRecord): Job {
  return { ...record, sequences: [], unsaved: null, ending: null, watchers: new Set() };
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
