import assert from "node:assert/strict";
import { test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { busy, history, idle } from "../fixtures/status-server.js";
import { stylesOf } from "../terminal/styles.js";
import { width } from "../terminal/width.js";
import { frame, sparkline } from "./frame.js";

const styles = stylesOf({ isTTY: true }, {});

for (const status of [idle, busy])
  for (const columns of [1, 2, 19, 20, 21, 33, 40, 79, 200])
    for (const rows of [1, 10, 24, 60]) {
      test(`a frame of ${columns} x ${rows} with ${status.queue.waiting} waiting stays within the screen`, () => {
        const lines = frame(status, history, { columns, rows }, styles).map(stripVTControlCharacters);
        assert.ok(lines.length <= rows);
        for (const line of lines) assert.ok(width(line) <= columns, line);
      });
    }

test("a frame shows slots, figures, plots and the queue, and nothing that steers the terminal", () => {
  const text = frame(busy, history, { columns: 100, rows: 40 }, styles)
    .map(stripVTControlCharacters)
    .join("\n");
  for (const part of [
    /^한글-small · int8, context 256 · healthy · up 2 h/,
    /^slots +2 of 3 busy: 1 prefill, 1 decode; 2 workers on cpu, 1 thread each$/m,
    /^TTFT +12 ms at p50, 40 ms at p90, 1.5 s at p99$/m,
    /^cache +.*; 25 % of prompt tokens reused$/m,
    /^worker 1 +busy +█▒·$/m,
    /^worker 2 +stalled *$/m,
    /^tokens\/s +4 s + ▁▅█ +most 800$/m,
    /^ +1 +0\.5 s +1\.5 s +1 +0 +-$/m,
    /^ +2 +0\.5 s +\? +1 +0 +한글\\u\{1b\}\[2J \(yours\)$/m,
    /^and 3 more$/m,
  ])
    assert.match(text, part);
});

test("a sparkline has eight heights, and a gap where nothing was measured", () => {
  assert.equal(sparkline([0, 1, null, 7], 7), "▁▂ █");
  assert.equal(sparkline([0, 0], 0), "▁▁");
});
