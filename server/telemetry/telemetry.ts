import { EventEmitter } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import type { Summary } from "./summary.js";

interface TelemetryEvents {
  /** A request has come, or a job's turn. `headers` are a request's; a job's are those of the trace that it is part of. */
  begun: [summary: Summary, headers: IncomingHttpHeaders];
  /** Its first sequence has got a slot. */
  started: [summary: Summary];
  /** One of its sequences has its first token, so that its whole prompt was processed. Once a sequence. */
  read: [summary: Summary, promptTokens: number];
  /** The first of its sequences has a token. A rerun after a worker's death is no second time. */
  first_token: [summary: Summary];
  /** It has ended, and its summary is complete. */
  ended: [summary: Summary];
}

/** What a generation tells on its way. Nothing is told of one that was given up. */
export interface Milestones {
  started(): void;
  read(promptTokens: number): void;
  firstToken(): void;
}

/** Tells of each request and job that runs, for the log, metrics, traces and the live view. */
export class Telemetry extends EventEmitter<TelemetryEvents> {
  /** Of the request or job that the summary is of. */
  milestonesOf(summary: Summary): Milestones {
    return {
      started: () => this.emit("started", summary),
      read: (promptTokens) => this.emit("read", summary, promptTokens),
      firstToken: () => this.emit("first_token", summary),
    };
  }
}
