import assert from "node:assert/strict";
import { test } from "node:test";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { Course } from "../requests/course.js";
import { newSummary, type Summary } from "../telemetry/summary.js";
import { Telemetry } from "../telemetry/telemetry.js";
import { CalendarClock } from "./clock.js";
import { inputMessages, outputMessages } from "./messages.js";
import { phasesOf } from "./phases.js";
import { Spans } from "./spans.js";

function spansOf(fill: (summary: Summary) => void, kind: Summary["kind"] = "request") {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const telemetry = new Telemetry();
  new Spans(provider.getTracer("test"), telemetry, { model: "m", propagates: true, showsMessages: false });
  const summary = newSummary({ kind, id: "id", method: "POST", path: "/generate" });
  telemetry.emit("begun", summary, {});
  fill(summary);
  summary.endedAt = summary.receivedAt + 100;
  telemetry.emit("ended", summary);
  return exporter.getFinishedSpans();
}

const failure = (code: "internal_error" | "worker_lost" | "queue_full") => ({ code, told: "", stack: "" });

/** A generation that got as far as `reached`: 10 ms a phase. */
function generation(reached: number, receivedAt: number) {
  const { summary } = new Course({ sequences: 1, maxTokens: 5 } as never, 0);
  const names = ["reservedAt", "preparedAt", "startedAt", "firstTokenAt", "endedAt"];
  for (const [index, name] of names.slice(0, reached).entries())
    Object.assign(summary, { [name]: receivedAt + 10 * (index + 1) });
  return summary;
}

for (const [what, fill, code, type, kind] of [
  ["a request that went well", { status: 200 }, 0, undefined, "request"],
  ["a refused request", { status: 503, error: failure("queue_full") }, 0, "queue_full", "request"],
  ["a failed request", { status: 500, error: failure("internal_error") }, 2, "internal_error", "request"],
  ["a stream whose worker died", { status: 200, error: failure("worker_lost") }, 2, "worker_lost", "request"],
  ["a client that left", { status: null, left: true }, 0, "cancelled", "request"],
  ["a failed job", { status: 500, error: failure("worker_lost") }, 2, "worker_lost", "job"],
  ["a cancelled job", { left: true }, 0, "cancelled", "job"],
] as const)
  test(`the status and error.type of ${what}`, () => {
    const [root] = spansOf((summary) => Object.assign(summary, fill), kind);
    assert.deepEqual([root!.status.code, root!.attributes["error.type"]], [code, type]);
  });

test("only phases that a generation got to have spans, and the last one lasts to its end", () => {
  const all = ["receive", "prepare", "queue", "prefill", "decode", "deliver"];
  for (let reached = 1; reached <= 5; reached++) {
    const summary = newSummary({ kind: "request", id: "", method: "POST", path: "/" });
    summary.generation = generation(reached, summary.receivedAt);
    summary.endedAt = summary.receivedAt + 100;
    const phases = phasesOf(summary);
    assert.deepEqual(
      phases.map(({ name }) => name),
      all.slice(0, reached + 1),
    );
    assert.equal(phases[0]!.from, summary.receivedAt);
    assert.equal(phases.at(-1)!.to, summary.endedAt);
    for (const [index, { from }] of phases.slice(1).entries()) assert.equal(from, phases[index]!.to);
  }
});

test("no span ends after its request, though a sequence may", () => {
  const spans = spansOf((summary) => {
    summary.generation = generation(5, summary.receivedAt);
    summary.generation.endedAt = summary.receivedAt + 500;
  });
  const end = ([seconds, nanos]: [number, number]) => seconds * 1e3 + nanos / 1e6;
  const root = spans.at(-1)!;
  for (const span of spans) assert.ok(end(span.endTime) <= end(root.endTime));
});

test("times follow the calendar when its clock was set, or the machine slept", () => {
  let wall = 1_000_000;
  let now = 0;
  const clock = new CalendarClock(
    () => wall,
    () => now,
    1_000_000,
  );
  now += 5000;
  wall += 5001;
  assert.equal(clock.origin, 1_000_000);
  wall += 3_600_000;
  assert.equal(clock.origin + now, wall);
  wall -= 60_000;
  assert.equal(clock.origin + now, wall);
});

test("messages are bounded, and stay valid JSON", () => {
  const long = '"\\😀'.repeat(100_000);
  const shown = inputMessages({ prompt: long });
  assert.ok(shown.length < 50_000);
  assert.ok(JSON.parse(shown)[0].parts[0].content.endsWith("…"));
  const messages = Array.from({ length: 1000 }, (_, n) => ({
    role: "user",
    content: `${n} ${"x".repeat(1000)}`,
  }));
  const kept = JSON.parse(inputMessages({ messages }));
  assert.ok(kept.length < 20);
  assert.match(kept.at(-1).parts[0].content, /^999 /);
  assert.match(kept.at(-2).parts[0].content, /^998 /);
  assert.equal(JSON.parse(inputMessages({ prompt: ["a", [1, 2]] }))[1].parts[0].content, "[1,2]");
  assert.equal(JSON.parse(inputMessages({ messages: [{ role: "user", content: null }] })).length, 1);
  const outputs = [
    { text: "a", reason: "stop" as const },
    undefined,
    { text: long, reason: "length" as const },
  ];
  assert.deepEqual(
    JSON.parse(outputMessages(outputs)).map((one: { finish_reason: string }) => one.finish_reason),
    ["stop", "length"],
  );
});
