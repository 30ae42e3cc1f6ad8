import assert from "node:assert/strict";
import { test } from "node:test";
import { excerpt, render } from "./log.js";

const noon = new Date(2026, 0, 31, 12, 0, 0);

test("a text line has the time, the logger, the level and the message", () => {
  const line = render({ level: "info", message: "ready" }, "text", noon);
  assert.equal(line, "2026-01-31 12:00:00 - jai-server - INFO - ready");
  assert.match(render({ level: "warn", message: "slow" }, "text", noon), / - WARNING - slow$/);
});

test("a JSON line has the fields beside the message", () => {
  const line = render({ level: "error", message: "lost", fields: { id: "a", tokens: 3 } }, "json", noon);
  assert.deepEqual(JSON.parse(line), {
    time: noon.toISOString(),
    logger: "jai-server",
    level: "ERROR",
    message: "lost",
    id: "a",
    tokens: 3,
  });
});

test("a message can't forge a line or steer a terminal", () => {
  const forged = "hello\n2026-01-31 12:00:00 - jai-server - INFO - forged\r\u001b[2J\u2028\u202e\0";
  const line = render({ level: "info", message: forged }, "text", noon);
  assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}]/u);
  assert.match(line, /hello\\n2026/);
  const entry = { level: "info", message: forged, fields: { path: "\u009b2J\u0085\u2028\u{e0041}" } };
  const json = render(entry, "json", noon);
  assert.doesNotMatch(json, /[\p{Cc}\p{Cf}\p{Zl}]/u);
  assert.deepEqual([JSON.parse(json).message, JSON.parse(json).path], [forged, entry.fields.path]);
});

test("an excerpt is the first 50 characters", () => {
  assert.equal(excerpt("가".repeat(50)), "가".repeat(50));
  assert.equal(excerpt("가".repeat(51)), `${"가".repeat(50)}…`);
  assert.equal(excerpt("😀".repeat(100_000)), `${"😀".repeat(50)}…`);
  assert.equal(excerpt("a\nb\tc"), "a\\nb\\u{9}c");
});
