import assert from "node:assert/strict";
import { test } from "node:test";
import { EventReader } from "./server-sent-events.js";

const text =
  ': hello\n\ndata: {"a":1}\n\nevent: two\ndata:no space\ndata:  two spaces\n\n: waiting\n\nevent: empty\n\ndata: last\n\ndata: cut';
const events = [
  { event: "message", data: '{"a":1}' },
  { event: "two", data: "no space\n two spaces" },
  { event: "message", data: "last" },
];

for (const [name, stream] of [
  ["\\n", text],
  ["\\r\\n", text.replaceAll("\n", "\r\n")],
] as const) {
  test(`events are read wherever the text is split (${name})`, () => {
    for (let size = 1; size <= stream.length; size++) {
      const reader = new EventReader();
      const read = [];
      for (let at = 0; at < stream.length; at += size) read.push(...reader.push(stream.slice(at, at + size)));
      assert.deepEqual(read, events);
    }
  });
}
