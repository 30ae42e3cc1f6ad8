import assert from "node:assert/strict";
import { test } from "node:test";
import { tinyResults } from "./fixture.js";
import { decadeTicks, logScale, plot } from "./plot.js";

test("a logarithmic scale maps equal ratios to equal distances", () => {
  const scale = logScale([1, 100], [0, 200]);
  assert.equal(Math.round(scale(1)), 0);
  assert.equal(Math.round(scale(10)), 100);
  assert.equal(Math.round(scale(100)), 200);
});

test("ticks enclose the values", () => {
  assert.deepEqual(decadeTicks([120, 4000]), [100, 200, 500, 1000, 2000, 5000]);
  assert.deepEqual(decadeTicks([3, 7]), [2, 5, 10]);
  const wide = decadeTicks([0.3, 90_000]);
  assert.ok(wide[0]! <= 0.3 && wide.at(-1)! >= 90_000 && wide.length <= 9);
});

test("a plot has one line per system in every panel, with finite coordinates", () => {
  const svg = plot(tinyResults());
  // Two panels of whole answers and two of streams, with two systems each, and the open loop's with one.
  assert.equal(svg.match(/<polyline/g)?.length, 9);
  assert.ok(!/NaN|Infinity|undefined/.test(svg));
  assert.ok(svg.includes("prefers-color-scheme: dark"));
});

test("a run without measurements still gives a picture", () => {
  const results = tinyResults();
  const svg = plot({ ...results, closed: [], open: [] });
  assert.ok(svg.startsWith("<svg") && !/NaN|Infinity/.test(svg));
});

test("names are escaped", () => {
  const results = tinyResults();
  const svg = plot({ ...results, closed: results.closed.map((row) => ({ ...row, system: "a<b&c" })) });
  assert.ok(svg.includes("a&lt;b&amp;c") && !svg.includes("a<b"));
});
