import type { ServerResponse } from "node:http";
import { EventResponse, type EventStreamOptions, event } from "../streams/event-response.js";
import type { Job, Written } from "./job.js";
import type { Jobs } from "./jobs.js";

/** How much of each sequence a client has: characters and tokens. */
export type Position = readonly { characters: number; tokens: number }[];

/** The id of the last event; a client that has it has everything. */
const END = "end";

/**
 * Reads an event's id: `120.31` after 120 characters and 31 tokens, `120.31-95.24` with two sequences. It says how much
 * of the text came before, and not which event this was, so that it holds for every run of the job: given the seed the
 * text is the same, though it comes in other pieces. Null: no such id.
 */
export function readEventId(id: string): Position | "end" | null {
  if (id === END) return END;
  if (!/^\d{1,9}\.\d{1,9}(-\d{1,9}\.\d{1,9}){0,255}$/.test(id)) return null;
  return id.split("-").map((part) => {
    const [characters, tokens] = part.split(".").map(Number);
    return { characters: characters!, tokens: tokens! };
  });
}

const eventId = (position: Position) =>
  position.map(({ characters, tokens }) => `${characters}.${tokens}`).join("-");

export interface JobStreamOptions extends EventStreamOptions {
  res: ServerResponse;
  jobs: Jobs;
  job: Job;
  from: Position;
  /** The answer of `GET /jobs/{id}` now. */
  document: () => Promise<object>;
  /** Where a waiting job stands. */
  standing: () => object;
}

const TICK_MS = 1000;
const QUIET_TICKS = 9;

/**
 * A response of a job's events. It keeps no events, only how much of the text it has sent: a slow reader costs no memory,
 * and gets what has come meanwhile as one.
 */
export class JobStream {
  readonly #options: JobStreamOptions;
  readonly #position: { characters: number; tokens: number }[];
  readonly #response: EventResponse;
  readonly #unwatch: () => void;
  /** The last event about the job's state. */
  #told = "";
  #ending = false;

  constructor(options: JobStreamOptions) {
    this.#options = options;
    this.#position = options.from.map((one) => ({ ...one }));
    const { res, job } = options;
    const pump = () => this.#pump();
    this.#response = new EventResponse(res, {
      ...options,
      beatMs: TICK_MS,
      quietBeats: QUIET_TICKS,
      onRoom: pump,
    });
    job.watchers.add(pump);
    this.#unwatch = () => job.watchers.delete(pump);
    res.once("close", this.#unwatch);
    pump();
  }

  #pump(): void {
    const { job, standing } = this.#options;
    if (!this.#response.isOpen || this.#ending) return;
    if (job.state === "queued") {
      this.#tell("queued", standing());
    } else if (job.state === "running") {
      this.#tell("running", { attempt: job.attempts });
      this.#response.write(this.#newText(job.sequences));
    } else {
      void this.#finish();
    }
  }

  #tell(name: string, data: object): void {
    const told = event(data, { name });
    if (told === this.#told) return;
    this.#told = told;
    this.#response.write(told);
  }

  /** Text that the client doesn't have yet. A job that runs again is behind the client for a while. */
  #newText(sequences: readonly Written[]): string {
    let events = "";
    for (const [index, { text, tokens }] of sequences.entries()) {
      const had = this.#position[index] ?? { characters: 0, tokens: 0 };
      this.#position[index] = had;
      if (tokens <= had.tokens) continue;
      const data = {
        ...(sequences.length > 1 && { index }),
        text: text.slice(had.characters),
        tokens: tokens - had.tokens,
      };
      this.#position[index] = { characters: Math.max(text.length, had.characters), tokens };
      events += event(data, { id: eventId(this.#position) });
    }
    return events;
  }

  /** Ends the stream before the job has ended. A client that asks again learns why. */
  end(): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#unwatch();
    this.#response.end("");
  }

  async #finish(): Promise<void> {
    const { res, jobs, job, document } = this.#options;
    this.#ending = true;
    this.#unwatch();
    this.#response.stop();
    try {
      const result = job.state === "done" ? await jobs.resultOf(job) : undefined;
      const text = result === undefined ? "" : this.#newText(result.sequences);
      this.#response.end(text + event(await document(), { name: job.state, id: END }));
    } catch {
      // The client sees that the end is missing, and may ask again.
      res.destroy();
    }
  }
}
