import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { EventReader } from "../../ops/server-sent-events.js";
import { PublicError } from "../errors/errors.js";
import { finished } from "../fixtures/finished.js";
import { NativeEvents } from "../requests/native/native-events.js";
import { EventStream } from "./event-stream.js";

const delta = (text: string, tokens: number) => ({ text, tokens, logprobs: [] });
const answer = (generated: string, tokens: number) => ({ generated, usage: { completion_tokens: tokens } });

/** Ends the only sequence, and the stream. */
function finish(stream: EventStream, generated: string, completionTokens: number): void {
  stream.end(0, finished({ generated, completionTokens }));
  stream.finish(answer(generated, completionTokens));
}

/** A connection that takes written bytes only when the test lets it, and is full at 1,000 bytes. */
class SlowSocket extends Duplex {
  readonly timeouts: number[] = [];
  #text = "";
  #done: (() => void) | null = null;

  constructor() {
    super({ writableHighWaterMark: 1000 });
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#text += chunk.toString();
    this.#done = done;
  }

  setTimeout(ms: number): void {
    this.timeouts.push(ms);
  }

  /** Takes all written bytes, and those written as a consequence; returns everything so far. */
  async takeAll(): Promise<string> {
    // Writes of one turn of the event loop arrive at its end.
    await new Promise((resolve) => setImmediate(resolve));
    if (this.#done === null) return this.#text;
    const done = this.#done;
    this.#done = null;
    done();
    return this.takeAll();
  }
}

async function openStream(sequences = 1) {
  const socket = new SlowSocket();
  const beats = new Set<() => void>();
  const opened = new Promise<{ stream: EventStream; res: ServerResponse }>((resolve) => {
    const server = createServer((_req, res) => {
      const every = (_ms: number, callback: () => void) => {
        beats.add(callback);
        return () => beats.delete(callback);
      };
      resolve({ stream: new EventStream(res, new NativeEvents(sequences), { every }), res });
    });
    server.emit("connection", socket);
    // HTTP/1.0 has no chunked encoding, so the sent bytes are the stream itself.
    socket.push("POST /generate HTTP/1.0\r\n\r\n");
  });
  const { stream, res } = await opened;
  /** The response's body so far. */
  const body = async () => (await socket.takeAll()).split("\r\n\r\n").slice(1).join("\r\n\r\n");
  return {
    stream,
    res,
    socket,
    beats,
    body,
    head: async () => (await socket.takeAll()).split("\r\n\r\n", 1)[0]!,
    beat: () => {
      for (const callback of beats) callback();
    },
    /** The whole events so far, as `[event, parsed data]`. */
    events: async () =>
      new EventReader().push(await body()).map(({ event, data }) => [event, JSON.parse(data)]),
  };
}

test("the headers are sent at once, and keep proxies from buffering events", async () => {
  const { head } = await openStream();
  const text = await head();
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
  for (const header of [
    "Content-Type: text/event-stream; charset=utf-8",
    "Cache-Control: no-cache, no-transform",
    "X-Accel-Buffering: no",
  ])
    assert.ok(text.split("\r\n").includes(header), text);
});

test("each event is its lines and an empty line, whatever the text contains", async () => {
  const { stream, body, events } = await openStream();
  const text = 'a\nb\r\n\r\ndata: c\u2028\u0000"\\👩‍💻';
  stream.delta(0, delta(text, 2));
  stream.queue({ position: 1, expectedWait: 0.5 });
  finish(stream, `${text}!`, 5);
  assert.equal(
    await body(),
    [
      `data: ${JSON.stringify({ text, tokens: 2 })}\n\n`,
      'event: queue\ndata: {"position":1,"expected_wait":0.5}\n\n',
      'data: {"text":"!","tokens":3}\n\n',
      `event: done\ndata: ${JSON.stringify(answer(`${text}!`, 5))}\n\n`,
    ].join(""),
  );
  assert.deepEqual((await events()).at(0), ["message", { text, tokens: 2 }]);
});

test("if the deltas already have the whole text, the end sends no further one", async () => {
  const { stream, events } = await openStream();
  stream.delta(0, delta("ab", 2));
  finish(stream, "ab", 2);
  assert.deepEqual(
    (await events()).map(([event]) => event),
    ["message", "done"],
  );
});

test("several sequences have separate deltas, each with its index", async () => {
  const { stream, res, events } = await openStream(2);
  stream.delta(1, delta("b", 1));
  stream.delta(0, delta("a", 1));
  stream.end(1, finished({ generated: "bcd", completionTokens: 3 }));
  while (!res.writableNeedDrain) stream.delta(0, delta("a", 1));
  stream.delta(0, delta("A", 1));
  const told = await events();
  assert.deepEqual(told.slice(0, 3), [
    ["message", { index: 1, text: "b", tokens: 1 }],
    ["message", { index: 0, text: "a", tokens: 1 }],
    ["message", { index: 1, text: "cd", tokens: 2 }],
  ]);
  assert.deepEqual(told.at(-1), ["message", { index: 0, text: "A", tokens: 1 }]);
});

test("an error comes after the text so far, and is the last event", async () => {
  const { stream, res, beats, events } = await openStream();
  stream.delta(0, delta("ab", 2));
  stream.fail(new PublicError("generation_failed"));
  assert.deepEqual(await events(), [
    ["message", { text: "ab", tokens: 2 }],
    ["error", { detail: "The generation failed" }],
  ]);
  assert.ok(res.writableFinished);
  assert.equal(beats.size, 0);
});

test("while the socket is full, deltas merge into one, and queue events and comments are dropped", async () => {
  const { stream, res, socket, beat, events } = await openStream();
  let written = 0;
  while (!res.writableNeedDrain) stream.delta(0, delta(`${written++} `, 1));
  const full = socket.writableLength;
  for (let n = 0; n < 10_000; n++) stream.delta(0, delta("x", 1));
  for (let n = 0; n < 10; n++) beat();
  stream.queue({ position: 1, expectedWait: 1 });
  assert.equal(socket.writableLength, full, "nothing more is written");
  const told = await events();
  assert.equal(told.length, written + 1);
  const [, merged] = told.at(-1)!;
  assert.deepEqual([merged.text === "x".repeat(10_000), merged.tokens], [true, 10_000]);
  stream.delta(0, delta("y", 1));
  assert.deepEqual((await events()).at(-1), ["message", { text: "y", tokens: 1 }]);
});

test("an answer that ends while the socket is full arrives complete", async () => {
  const { stream, res, events } = await openStream();
  let text = "";
  while (!res.writableNeedDrain) {
    stream.delta(0, delta("long ", 1));
    text += "long ";
  }
  stream.delta(0, delta("held", 1));
  finish(stream, `${text}held, and more`, 1000);
  const told = await events();
  const deltas = told.filter(([event]) => event === "message").map(([, data]) => data);
  assert.equal(deltas.map((delta) => delta.text).join(""), `${text}held, and more`);
  assert.equal(
    deltas.reduce((sum, delta) => sum + delta.tokens, 0),
    1000,
  );
  assert.equal(told.at(-1)?.[0], "done");
});

test("the third beat without an event sends a comment; an event restarts the count", async () => {
  const { stream, beats, beat, body } = await openStream();
  beat();
  beat();
  assert.equal(await body(), "");
  beat();
  assert.equal(await body(), ": waiting\n\n");
  beat();
  beat();
  stream.delta(0, delta("a", 1));
  beat();
  beat();
  assert.equal(await body(), ': waiting\n\ndata: {"text":"a","tokens":1}\n\n');
  finish(stream, "a", 1);
  await body();
  assert.equal(beats.size, 0, "no beats for a stream that has ended");
});

test("after the client has left, nothing is written, and the beats stop", async () => {
  const { stream, res, socket, beats, beat } = await openStream();
  await socket.takeAll();
  socket.destroy();
  await once(res, "close");
  assert.equal(beats.size, 0);
  stream.delta(0, delta("a", 1));
  beat();
  stream.queue({ position: 1, expectedWait: 1 });
  stream.fail(new PublicError("internal"));
  assert.equal(socket.writableLength, 0);
});

test("the stall limit applies only to the stream, not to later requests of the connection", async () => {
  const { stream, socket } = await openStream();
  assert.deepEqual(socket.timeouts, [60_000]);
  finish(stream, "", 1);
  await socket.takeAll();
  assert.equal(socket.timeouts[1], 0);
});

test("a client that takes nothing for the stall limit is disconnected", async (context) => {
  const server = createServer((_req, res) => {
    const stream = new EventStream(res, new NativeEvents(1), { stallMs: 50 });
    const text = "x".repeat(100_000);
    // More than the kernel buffers for a socket, so that some stays in Node.
    const fill = () => {
      if (res.writableNeedDrain) return;
      stream.delta(0, delta(text, 1));
      setImmediate(fill);
    };
    fill();
    res.once("close", () => server.emit("gone", res.writableFinished));
  }).listen(0, "127.0.0.1");
  context.after(() => server.close());
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  context.after(() => socket.destroy());
  socket.pause();
  socket.write("POST /generate HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.deepEqual(await once(server, "gone"), [false]);
});
