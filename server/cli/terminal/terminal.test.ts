import assert from "node:assert/strict";
import { test } from "node:test";
import { visibleJson } from "../../visible-json.js";
import { stylesOf } from "./styles.js";
import { bytes, duration } from "./units.js";
import { visible, visibleLine } from "./visible.js";
import { fit, pad, table, width } from "./width.js";

test("text for a terminal keeps line breaks, tabs and letters, and shows what would steer it", () => {
  assert.equal(visible("한글\tb\r\nc\n👩‍👧"), "한글\tb\nc\n👩‍👧");
  for (const [hostile, shown] of [
    ["\u001b[2J", "\\u{1b}[2J"],
    ["\u009b31m", "\\u{9b}31m"],
    ["\u001b]0;title\u0007", "\\u{1b}]0;title\\u{7}"],
    ["a\rb\b\u007f", "a\\u{d}b\\u{8}\\u{7f}"],
    ["\u202etxt\u2069\u200e", "\\u{202e}txt\\u{2069}\\u{200e}"],
    ["\u2028\u{e0041}", "\\u{2028}\\u{e0041}"],
  ] as const)
    assert.equal(visible(hostile), shown);
  assert.equal(visibleLine("a\nb\tc"), "a\\nb\\tc");
});

test("JSON for a terminal has no steering characters and reads back to the same", () => {
  const value = { text: "\u001b[2J\u009b\u202e\u{e0041}\n한글", list: [1, null] };
  for (const indent of [undefined, 2]) {
    const text = visibleJson(value, indent);
    assert.doesNotMatch(text.replaceAll("\n", ""), /[\p{Cc}\p{Cf}]/u);
    assert.deepEqual(JSON.parse(text), value);
  }
});

test("styles are codes at a terminal alone, and never with NO_COLOR or a dumb terminal", () => {
  const terminal = { isTTY: true };
  assert.equal(stylesOf(terminal, {}).red("x"), "\u001b[31mx\u001b[39m");
  assert.equal(stylesOf(terminal, { NO_COLOR: "" }).red("x"), "\u001b[31mx\u001b[39m");
  assert.equal(stylesOf(terminal, { NO_COLOR: "0" }).red("x"), "x");
  assert.equal(stylesOf(terminal, { TERM: "dumb" }).red("x"), "x");
  assert.equal(stylesOf({}, {}).red("x"), "x");
});

test("Hangul and emoji are two columns wide, combining marks none", () => {
  assert.deepEqual(["", "abc", "한글", "👩‍👧", "❤️", "e\u0301", "ㄱ"].map(width), [0, 3, 4, 2, 2, 1, 2]);
  assert.deepEqual([fit("한글날", 5), fit("한글날", 6), fit("abc", 0)], ["한글…", "한글날", ""]);
  assert.deepEqual([pad("한", 4), pad("한", 4, "right"), pad("한글날", 4)], ["한  ", "  한", "한… "]);
  assert.deepEqual(table([["a", "n"], ["한글", "10"], ["b"]], [1]), ["a      n", "한글  10", "b"]);
});

test("units", () => {
  assert.deepEqual([0, 1023, 1024, 7_463_438, 2 ** 40 * 3].map(bytes), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "7.1 MiB",
    "3.0 TiB",
  ]);
  assert.deepEqual([0.04, 9.96, 119, 120, 7199, 7200, 200_000].map(duration), [
    "0.0 s",
    "10 s",
    "119 s",
    "2 min",
    "120 min",
    "2 h",
    "2 d",
  ]);
});
