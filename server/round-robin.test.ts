import assert from "node:assert/strict";
import { test } from "node:test";
import { RoundRobin } from "./round-robin.js";

function lineOf(...items: string[]): RoundRobin<string> {
  const line = new RoundRobin<string>();
  for (const item of items) line.add(item[0]!, item);
  return line;
}

test("owners take turns, and each owner's items come in their order", () => {
  assert.deepEqual(
    [...lineOf("a1", "a2", "a3", "b1", "c1", "b2").takeAll()],
    ["a1", "b1", "c1", "a2", "b2", "a3"],
  );
});

test("an owner that may not is passed over, and keeps its turn", () => {
  const line = lineOf("a1", "a2", "b1", "b2");
  const notA = (owner: string) => owner !== "a";
  assert.deepEqual(
    [line.next(notA), line.next(), line.next(notA), line.next(notA), line.next()],
    [...["b1", "a1", "b2"], undefined, "a2"],
  );
});

test("an item that leaves is not taken, and neither is its owner's empty turn", () => {
  const line = lineOf("a1", "b1", "b2");
  line.delete("a", "a1");
  line.delete("b", "b1");
  line.delete("c", "c1");
  assert.deepEqual([...line.takeAll()], ["b2"]);
});

test("a hundred thousand items of one owner are taken one by one in linear time", () => {
  const items = Array.from({ length: 100_000 }, (_, at) => `a${at}`);
  assert.deepEqual([...lineOf(...items).takeAll()], items);
});
