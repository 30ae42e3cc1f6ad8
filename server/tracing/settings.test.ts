import assert from "node:assert/strict";
import { test } from "node:test";
import { readTraceSettings, shownEndpoint } from "./settings.js";

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };
const exporters = (env: Record<string, string>) => readTraceSettings(env).exporters;

test("tracing is off unless a variable turns it on", () => {
  for (const [env, expected] of [
    [{}, []],
    [{ OTEL_SERVICE_NAME: "x", OTEL_TRACES_SAMPLER: "always_on" }, []],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: " " }, []],
    [endpoint, ["otlp"]],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://collector/v1/traces" }, ["otlp"]],
    [{ OTEL_TRACES_EXPORTER: "otlp" }, ["otlp"]],
    [{ OTEL_TRACES_EXPORTER: "console" }, ["console"]],
    [{ OTEL_TRACES_EXPORTER: "otlp, console" }, ["otlp", "console"]],
    [{ ...endpoint, OTEL_TRACES_EXPORTER: "console" }, ["console"]],
    [{ ...endpoint, OTEL_TRACES_EXPORTER: "none" }, []],
    [{ ...endpoint, OTEL_SDK_DISABLED: "TRUE" }, []],
    [{ ...endpoint, OTEL_SDK_DISABLED: "false" }, ["otlp"]],
  ] as [Record<string, string>, string[]][]) {
    assert.deepEqual(exporters(env), expected, JSON.stringify(env));
    assert.deepEqual(readTraceSettings(env).problems, []);
  }
});

test("each unsupported value has a line, which says what follows from it", () => {
  for (const [name, value, told, isOn] of [
    ["OTEL_TRACES_EXPORTER", "zipkin", 'otlp, console or none, got "zipkin": no spans go there', false],
    ["OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", 'got "grpc": no spans are sent', false],
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", 'got "http/json": no spans are sent', false],
    ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4317", "an http or https URL", false],
    ["OTEL_EXPORTER_OTLP_COMPRESSION", "zstd", 'gzip or none, got "zstd"', true],
    [
      "OTEL_TRACES_SAMPLER",
      "jaeger_remote",
      'parentbased_traceidratio, got "jaeger_remote": every request',
      true,
    ],
    ["OTEL_TRACES_SAMPLER", "traceidratio", 'a share from 0 to 1, got "none"', true],
    ["OTEL_BSP_SCHEDULE_DELAY", "5s", 'a whole number of milliseconds, got "5s"', true],
    ["OTEL_BSP_MAX_QUEUE_SIZE", "0", 'a whole number of spans, got "0"', true],
    ["OTEL_EXPORTER_OTLP_TIMEOUT", "-1", "a whole number of milliseconds", true],
    ["OTEL_RESOURCE_ATTRIBUTES", "a=1,b", 'NAME=VALUE,…, got "b"', true],
    ["OTEL_PROPAGATORS", "b3", 'tracecontext or none, got "b3"', true],
  ] as const) {
    const { problems, exporters } = readTraceSettings({ ...endpoint, [name]: value });
    assert.equal(problems.length, 1, name);
    assert.ok(problems[0]!.startsWith("tracing: OTEL_"), problems[0]);
    assert.ok(problems[0]!.includes(told), problems[0]);
    assert.doesNotMatch(problems[0]!, /\n/);
    assert.equal(exporters.length > 0, isOn, name);
  }
  assert.deepEqual(
    readTraceSettings({ ...endpoint, OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "2" })
      .problems.length,
    1,
  );
});

test("clients' traces go on here unless OTEL_PROPAGATORS leaves them out", () => {
  for (const [value, expected] of [
    ["", true],
    ["tracecontext,baggage", true],
    ["baggage", false],
    ["none", false],
  ] as const)
    assert.equal(readTraceSettings({ ...endpoint, OTEL_PROPAGATORS: value }).propagates, expected, value);
});

test("prompts are shown only when asked for", () => {
  const shows = (value: string) =>
    readTraceSettings({ ...endpoint, OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: value })
      .showsMessages;
  assert.deepEqual(
    ["", "false", "no_content", "event_only", "true", "True", "span_only", "span_and_event"].map(shows),
    [false, false, false, false, true, true, true, true],
  );
});

test("the log shows an endpoint without its secrets", () => {
  const shown = (env: Record<string, string>) => shownEndpoint(env);
  assert.equal(
    shown({ OTEL_EXPORTER_OTLP_ENDPOINT: "https://me:key@c.example/base/?k=1" }),
    "https://c.example/base/v1/traces",
  );
  assert.equal(shown({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://me:key@c:1/x?k=1" }), "http://c:1/x");
  assert.equal(shown({}), "http://localhost:4318/v1/traces");
});
