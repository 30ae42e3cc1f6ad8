import { EventEmitter } from "node:events";
import type { IncomingHttpHeaders } from "node:http";
import type { Summary } from "./summary.js";

interface TelemetryEvents {
  /** A request has come, or a job's turn. `headers` are a request's; a job's are those of the trace that it is part of. */
  begun: [summary: Summary, headers: IncomingHttpHeaders];
  /** It has ended, and its summary is complete. */
  ended: [summary: Summary];
}

/** Tells of each request and job that runs, for the log, metrics, traces and the live view. */
export class Telemetry extends EventEmitter<TelemetryEvents> {}
