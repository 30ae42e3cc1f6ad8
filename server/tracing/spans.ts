import type { IncomingHttpHeaders } from "node:http";
import {
  type Context,
  defaultTextMapGetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { endingOf, type Summary } from "../telemetry/summary.js";
import type { Telemetry } from "../telemetry/telemetry.js";
import { endAttributes, generationAttributes, methodOf, requestAttributes } from "./attributes.js";
import { CalendarClock } from "./clock.js";
import { phasesOf } from "./phases.js";

export interface SpanOptions {
  /** The served model's name. */
  model: string;
  /** Whether a client's trace goes on here. */
  propagates: boolean;
  showsMessages: boolean;
}

/** A span that has begun. */
interface Open {
  span: Span;
  /** What to add to a time of `performance.now()` to get milliseconds since 1970. */
  origin: number;
  userAgent: string | undefined;
}

/**
 * Makes the spans of each request and job: its own is begun when it comes, since that decides whether it is sampled and
 * gives it the id that others refer to. All else is made at its end, of its summary, so that a request that is not sampled
 * costs next to nothing.
 */
export class Spans {
  readonly #tracer: Tracer;
  readonly #options: SpanOptions;
  readonly #clock = new CalendarClock();
  readonly #propagator = new W3CTraceContextPropagator();
  /** A job that is put back never ends under the same summary, so nothing else may hold on to its span. */
  readonly #open = new WeakMap<Summary, Open>();

  constructor(tracer: Tracer, telemetry: Telemetry, options: SpanOptions) {
    this.#tracer = tracer;
    this.#options = options;
    telemetry.on("begun", (summary, headers) => this.#begin(summary, headers));
    telemetry.on("ended", (summary) => this.#end(summary));
  }

  #begin(summary: Summary, headers: IncomingHttpHeaders): void {
    const parent = this.#parentOf(summary, headers);
    const { origin } = this.#clock;
    const isJob = summary.kind === "job";
    const span = this.#tracer.startSpan(
      isJob ? `job ${summary.path}` : methodOf(summary),
      {
        kind: isJob ? SpanKind.CONSUMER : SpanKind.SERVER,
        startTime: origin + summary.receivedAt,
      },
      parent,
    );
    const { traceId, spanId, traceFlags, traceState } = span.spanContext();
    const isSampled = (traceFlags & TraceFlags.SAMPLED) !== 0;
    // The id of a trace of which nothing is kept would only mislead, unless the client knows that trace.
    if (!isSampled && parent === ROOT_CONTEXT) return;
    summary.traceId = traceId;
    const state = traceState?.serialize();
    summary.traceContext = {
      traceparent: `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`,
      ...(state && { tracestate: state }),
    };
    if (!span.isRecording()) return;
    // Not before: the standard samplers look at no attributes, and most requests may not be sampled.
    if (!isJob) span.setAttributes(requestAttributes(summary, headers));
    this.#open.set(summary, { span, origin, userAgent: headers["user-agent"] });
  }

  #parentOf({ kind }: Summary, headers: IncomingHttpHeaders): Context {
    // What a job brings is its creating request's, in any case a trace of this server.
    if (headers.traceparent === undefined || (kind === "request" && !this.#options.propagates))
      return ROOT_CONTEXT;
    return this.#propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter);
  }

  #end(summary: Summary): void {
    const open = this.#open.get(summary);
    if (open === undefined) return;
    const { span, origin, userAgent } = open;
    const { kind, route, generation, error, endedAt } = summary;
    if (kind === "request" && route !== null) span.updateName(`${methodOf(summary)} ${route}`);
    span.setAttributes(endAttributes(summary, userAgent));
    if (generation !== null) {
      span.setAttributes(generationAttributes(summary, generation, this.#options));
      this.#addPhases(summary, open);
      if (generation.firstTokenAt !== null) span.addEvent("first_token", origin + generation.firstTokenAt);
    }
    // As the conventions for HTTP servers say: what was wrong with the request is no error of the server's.
    const failed = endingOf(summary) === "failed" || (kind === "job" && error !== null);
    if (failed) span.setStatus({ code: SpanStatusCode.ERROR, message: error?.code ?? "" });
    span.end(origin + endedAt);
  }

  #addPhases(summary: Summary, { span, origin }: Open): void {
    const parent = trace.setSpan(ROOT_CONTEXT, span);
    for (const { name, from, to } of phasesOf(summary))
      this.#tracer.startSpan(name, { startTime: origin + from }, parent).end(origin + to);
  }
}
