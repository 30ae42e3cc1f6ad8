import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { uniform } from "./sampling/philox.js";
import { StopMatcher } from "./stop-matcher.js";

const draw = (seed: number, index: number, choices: number) =>
  Math.floor(uniform([seed, 5], index) * choices);

describe("the stop matcher", () => {
  it("finds and holds back what a plain search does, in random texts of few letters", () => {
    let found = 0;
    for (let seed = 0; seed < 2000; seed++) {
      let drawn = 0;
      const word = (longest: number) =>
        Array.from({ length: 1 + draw(seed, drawn++, longest) }, () => "ab가"[draw(seed, drawn++, 3)]).join(
          "",
        );
      const stops = Array.from({ length: 1 + draw(seed, drawn++, 3) }, () => word(6));
      const matcher = new StopMatcher(stops);
      let text = "";
      for (let n = 0; n < 12; n++) {
        const piece = n % 4 === 3 ? "" : word(4);
        const before = text.length;
        text += piece;
        const begins = stops
          .map((stop) => text.indexOf(stop, Math.max(0, before - stop.length + 1)))
          .filter((begin) => begin >= 0);
        const first = begins.length === 0 ? null : Math.min(...begins);
        assert.equal(matcher.push(piece), first, JSON.stringify({ stops, text, piece }));
        if (first !== null) {
          found++;
          break;
        }
        const held = Math.max(
          ...stops.map((stop) => {
            let length = Math.min(stop.length - 1, text.length);
            while (!text.endsWith(stop.slice(0, length))) length--;
            return length;
          }),
        );
        assert.equal(matcher.held, held, JSON.stringify({ stops, text }));
      }
    }
    assert.ok(found > 500);
  });

  it("passes over stop strings that do not count, but not over the beginning of one that does", () => {
    const matcher = new StopMatcher(["aba", "xx"]);
    matcher.pass("abaabaxxx");
    assert.equal(matcher.held, 1);
    matcher.pass("ab");
    assert.equal(matcher.push("a"), 9);
    const overlapping = new StopMatcher(["aba"]);
    overlapping.pass("aba");
    assert.equal(overlapping.push("ba"), 2);
  });

  it("holds nothing back without stop strings", () => {
    const matcher = new StopMatcher([]);
    assert.deepEqual([matcher.push("abc"), matcher.held], [null, 0]);
  });
});
