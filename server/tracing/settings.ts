/** What the standard variables of OpenTelemetry ask for. The SDK reads the values itself that are not in here. */
export interface TraceSettings {
  /** Where spans go; nowhere if tracing is off. */
  exporters: readonly Exporter[];
  /** Whether a request's `traceparent` header makes it a part of its client's trace. */
  propagates: boolean;
  /** Whether spans show prompts and outputs. */
  showsMessages: boolean;
  /** A line for each value that is not supported. */
  problems: readonly string[];
}

export type Exporter = "otlp" | "console";

type Environment = Readonly<Record<string, string | undefined>>;

const DOCS = "see docs/tracing.md";
const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
];
/** Each with what it counts. */
const NUMBERS = {
  OTEL_BSP_SCHEDULE_DELAY: "milliseconds",
  OTEL_BSP_EXPORT_TIMEOUT: "milliseconds",
  OTEL_BSP_MAX_QUEUE_SIZE: "spans",
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: "spans",
  OTEL_EXPORTER_OTLP_TIMEOUT: "milliseconds",
  OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: "milliseconds",
};

/**
 * Reads the variables that turn tracing on and off. It is on if an OTLP endpoint is set, or `OTEL_TRACES_EXPORTER` is.
 * A value that is not supported never stops the server: several programs may share the variables. It turns off what
 * it concerns, or leaves the default, as its line says.
 */
export function readTraceSettings(env: Environment): TraceSettings {
  const problems: string[] = [];
  const off = { exporters: [], propagates: false, showsMessages: false, problems };
  if (read(env, "OTEL_SDK_DISABLED")?.toLowerCase() === "true") return off;
  const exporters = readExporters(env, problems).filter(
    (exporter) => exporter !== "otlp" || canExport(env, problems),
  );
  if (exporters.length === 0) return off;
  checkSampler(env, problems);
  checkNumbers(env, problems);
  checkResource(env, problems);
  return {
    exporters,
    propagates: propagates(env, problems),
    showsMessages: ["true", "span_only", "span_and_event"].includes(
      read(env, "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT")?.toLowerCase() ?? "",
    ),
    problems,
  };
}

/** The OTLP endpoint for spans, without user name, password and query, for the log. */
export function shownEndpoint(env: Environment): string {
  const own = read(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  const base = read(env, "OTEL_EXPORTER_OTLP_ENDPOINT") ?? "http://localhost:4318";
  const { origin, pathname } = new URL(own ?? base);
  return origin + (own === undefined ? `${pathname.replace(/\/$/, "")}/v1/traces` : pathname);
}

/** Empty means unset, as the standard says. */
function read(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined;
}

/** The variable for spans, or else that for all signals. */
function readOtlp(env: Environment, name: string): { name: string; value: string } | null {
  for (const full of [`OTEL_EXPORTER_OTLP_TRACES_${name}`, `OTEL_EXPORTER_OTLP_${name}`]) {
    const value = read(env, full);
    if (value !== undefined) return { name: full, value };
  }
  return null;
}

function readExporters(env: Environment, problems: string[]): Exporter[] {
  const asked = read(env, "OTEL_TRACES_EXPORTER");
  if (asked === undefined) return readOtlp(env, "ENDPOINT") === null ? [] : ["otlp"];
  const names = asked.split(",").map((name) => name.trim());
  for (const name of names) {
    if (name === "otlp" || name === "console" || name === "none") continue;
    problems.push(line("OTEL_TRACES_EXPORTER", "otlp, console or none", name, "no spans go there"));
  }
  return (["otlp", "console"] as const).filter((name) => names.includes(name));
}

function canExport(env: Environment, problems: string[]): boolean {
  const none = "no spans are sent";
  const protocol = readOtlp(env, "PROTOCOL");
  if (protocol !== null && protocol.value !== "http/protobuf")
    problems.push(line(protocol.name, "http/protobuf, mostly at port 4318", protocol.value, none));
  const endpoint = readOtlp(env, "ENDPOINT");
  const isUrl = (text: string) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
  if (endpoint !== null && !isUrl(endpoint.value))
    problems.push(line(endpoint.name, "an http or https URL", endpoint.value, none));
  const compression = readOtlp(env, "COMPRESSION");
  if (compression !== null && compression.value !== "gzip" && compression.value !== "none")
    problems.push(line(compression.name, "gzip or none", compression.value, "spans are sent uncompressed"));
  return !problems.some((problem) => problem.endsWith(`${none}; ${DOCS}`));
}

function checkSampler(env: Environment, problems: string[]): void {
  const all = "every request is traced";
  const sampler = read(env, "OTEL_TRACES_SAMPLER");
  if (sampler !== undefined && !SAMPLERS.includes(sampler))
    problems.push(line("OTEL_TRACES_SAMPLER", SAMPLERS.join(", "), sampler, all));
  const share = read(env, "OTEL_TRACES_SAMPLER_ARG");
  if (!sampler?.endsWith("traceidratio")) return;
  if (share === undefined || !(Number(share) >= 0 && Number(share) <= 1))
    problems.push(line("OTEL_TRACES_SAMPLER_ARG", "a share from 0 to 1", share ?? "none", all));
}

function checkNumbers(env: Environment, problems: string[]): void {
  for (const [name, what] of Object.entries(NUMBERS)) {
    const value = read(env, name);
    if (
      value !== undefined &&
      !/^[1-9]\d{0,8}$/.test(value) &&
      !(value === "0" && /DELAY|TIMEOUT/.test(name))
    )
      problems.push(line(name, `a whole number of ${what}`, value, "the default may be used"));
  }
}

/** The SDK drops the whole list for one wrong pair, and says nothing. */
function checkResource(env: Environment, problems: string[]): void {
  const name = "OTEL_RESOURCE_ATTRIBUTES";
  const pairs = read(env, name)?.split(",") ?? [];
  const wrong = pairs.find((pair) => pair.trim() !== "" && !/^\s*[^=\s][^=]*=[^=]*$/.test(pair));
  if (wrong !== undefined) problems.push(line(name, "NAME=VALUE,…", wrong, "the list is not used"));
}

function propagates(env: Environment, problems: string[]): boolean {
  const names = (read(env, "OTEL_PROPAGATORS") ?? "tracecontext").split(",").map((name) => name.trim());
  for (const name of names) {
    if (["tracecontext", "baggage", "none"].includes(name)) continue;
    problems.push(line("OTEL_PROPAGATORS", "tracecontext or none", name, "it is left out"));
  }
  return names.includes("tracecontext");
}

const line = (name: string, expected: string, got: string, effect: string) =>
  `tracing: ${name}: expected ${expected}, got ${JSON.stringify(got)}: ${effect}; ${DOCS}`;
