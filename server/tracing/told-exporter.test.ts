import assert from "node:assert/strict";
import { test } from "node:test";
import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { ToldExporter } from "./told-exporter.js";

function setUp() {
  const lines: string[] = [];
  const calls: ((result: ExportResult) => void)[] = [];
  const clock = { now: 0 };
  const exporter = {
    export: (_spans: ReadableSpan[], done: (result: ExportResult) => void) => void calls.push(done),
    shutdown: () => Promise.resolve(),
  };
  const log = { warn: (line: string) => void lines.push(line) };
  const told = new ToldExporter(exporter, "http://c/v1/traces", log, () => clock.now);
  const results: ExportResult[] = [];
  const send = (spans: number) =>
    told.export(Array(spans) as ReadableSpan[], (result) => results.push(result));
  const fail = (message: string, code?: number | string) =>
    calls.shift()!({ code: ExportResultCode.FAILED, error: Object.assign(new Error(message), { code }) });
  return { told, lines, calls, clock, results, send, fail };
}

test("lost spans are told once a minute, all of them counted", () => {
  const { lines, clock, send, fail } = setUp();
  for (const at of [0, 1000, 59_999, 60_000, 61_000]) {
    clock.now = at;
    send(7);
    fail("connect ECONNREFUSED 1.2.3.4:5", "ECONNREFUSED");
  }
  const because = "could not be sent to http://c/v1/traces: connect ECONNREFUSED 1.2.3.4:5";
  assert.deepEqual(lines, [`tracing: 7 spans ${because}`, `tracing: 21 spans ${because}`]);
});

test("the reason has the status, and is one bounded line", () => {
  const { lines, clock, send, fail } = setUp();
  send(1);
  fail("Unauthorized", 401);
  clock.now = 60_000;
  send(1);
  fail(`${"x".repeat(1000)}\nforged`);
  assert.match(lines[0]!, /: 401 Unauthorized$/);
  assert.ok(lines[1]!.length < 300 && !lines[1]!.includes("forged"));
});

test("what is under way at a stop is given up, and its late answer counts for nothing", () => {
  const { told, lines, calls, results, send } = setUp();
  send(3);
  told.abandon();
  assert.equal(results.length, 1);
  calls[0]!({ code: ExportResultCode.SUCCESS });
  assert.equal(results.length, 1);
  assert.deepEqual(lines, [
    "tracing: 3 spans could not be sent to http://c/v1/traces: the server has stopped",
  ]);
});
