import type { Log } from "../log.js";
import type { Telemetry } from "../telemetry/telemetry.js";
import { readTraceSettings, shownEndpoint } from "./settings.js";

export interface TracingOptions {
  telemetry: Telemetry;
  /** The served model's name. */
  model: string;
  log: Pick<Log, "info" | "warn">;
}

export interface Tracing {
  /** Sends the spans that are left, within two seconds. */
  close(): Promise<void>;
}

/**
 * Traces requests and jobs if OpenTelemetry's variables ask for it, else resolves to null. The SDK is loaded only then. A
 * wrong value is one line in the log, and stops nothing.
 */
export async function openTracing({ telemetry, model, log }: TracingOptions): Promise<Tracing | null> {
  const { exporters, problems, ...options } = readTraceSettings(process.env);
  for (const problem of problems) log.warn(problem);
  if (exporters.length === 0) return null;
  const target = exporters.includes("otlp") ? shownEndpoint(process.env) : "standard output";
  const [{ openSdk }, { Spans }] = await Promise.all([import("./sdk.js"), import("./spans.js")]);
  const { tracer, close } = openSdk(exporters, target, log);
  new Spans(tracer, telemetry, { model, ...options });
  const messages = options.showsMessages ? ", with prompts and outputs" : "";
  log.info(`tracing: spans of requests and jobs go to ${target}${messages}`);
  return { close };
}
