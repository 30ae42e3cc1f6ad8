import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Space } from "../store/space.js";
import { Store } from "../store/store.js";
import type { Job } from "./job.js";
import { type JobRequest, Jobs, type JobsOptions } from "./jobs.js";
import type { WaitingLine } from "./waiting-line.js";

/** A folder that is there for the time of a test. */
export function temporaryFolder(context: Pick<TestContext, "after">): string {
  const folder = mkdtempSync(join(tmpdir(), "jai-jobs-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A clock that stands, and timers that go off when it is put forward. */
export class TestClock {
  #ms = Date.parse("2026-01-31T12:00:00Z");
  #timers: { at: number; callback: () => void }[] = [];

  readonly now = () => this.#ms;
  readonly after = (ms: number, callback: () => void) => {
    this.#timers.push({ at: this.#ms + ms, callback });
  };

  /** When the timers go off, in milliseconds from now. */
  get pending(): number[] {
    return this.#timers.map(({ at }) => at - this.#ms).sort((one, other) => one - other);
  }

  advance(ms: number): void {
    this.#ms += ms;
    const due = this.#timers.filter(({ at }) => at <= this.#ms);
    this.#timers = this.#timers.filter(({ at }) => at > this.#ms);
    for (const { callback } of due) callback();
  }
}

export interface OpenJobs {
  jobs: Jobs;
  store: Store;
  space: Space;
  errors: string[];
}

/** The jobs of a folder; `close` them before they are opened again. */
export async function openJobs(
  context: Pick<TestContext, "after">,
  folder: string,
  options: Partial<JobsOptions> & { maxBytes?: number } = {},
): Promise<OpenJobs & { close: () => Promise<void> }> {
  const store = await Store.open(folder);
  const space = new Space(options.maxBytes ?? 1e9, options.several);
  const errors: string[] = [];
  const log = { error: (message: string) => void errors.push(message) };
  const jobs = await Jobs.open({ store, space, limit: 1000, ttlMs: 60_000, log, ...options });
  let closed = false;
  const close = async () => {
    if (closed) return;
    closed = true;
    await store.close();
  };
  context.after(close);
  return { jobs, store, space, errors, close };
}

let count = 0;

export function jobRequest(fields: Partial<JobRequest> = {}): JobRequest {
  return {
    id: `job-${++count}`,
    caller: "anna",
    endpoint: "/generate",
    body: { prompt: "안녕", max_tokens: 10, seed: 7 },
    priority: 0,
    maxTokens: 10,
    callbackUrl: null,
    ...fields,
  };
}

/** 1 is the next to start. */
export function positionIn(line: WaitingLine, job: Job): number {
  return [...line.order()].findIndex((place) => place.job === job) + 1;
}
