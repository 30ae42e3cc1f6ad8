import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { serveStandIn } from "../fixtures/stand-in.js";
import { BodyBudget } from "./body-budget.js";

const KB = 1024;

test("bodies take room until they are released", () => {
  const budget = new BodyBudget(100 * KB);
  const share = budget.open(() => assert.fail("there is room"));
  assert.ok(share.take(60 * KB));
  assert.equal(budget.bytes, 60 * KB);
  share.release();
  share.release();
  assert.equal(budget.bytes, 0);
});

test("the body that has been arriving the longest makes room", () => {
  const budget = new BodyBudget(100 * KB);
  const refused: string[] = [];
  const open = (name: string) => budget.open(() => refused.push(name));
  const [whole, slow, next] = [open("whole"), open("slow"), open("next")];
  assert.ok(whole.take(40 * KB));
  whole.arrived();
  assert.ok(slow.take(40 * KB));
  assert.ok(next.take(40 * KB));
  assert.deepEqual(refused, ["slow"]);
  assert.equal(budget.bytes, 80 * KB);
});

test("a body has no room where all others have arrived, unless it is small", () => {
  const budget = new BodyBudget(100 * KB);
  const whole = budget.open(() => assert.fail("it has arrived"));
  assert.ok(whole.take(100 * KB));
  whole.arrived();
  const late = budget.open(() => {});
  assert.ok(late.take(16 * KB));
  assert.equal(late.take(1), false);
  late.release();
  assert.equal(budget.bytes, 100 * KB);
});

test("a request gives its body's room back when it is answered, refused or left", async (context) => {
  const bodies = new BodyBudget(100 * KB);
  const { post, port } = await serveStandIn(context, { bodies, maxBodyBytes: 60 * KB });
  const more = "x".repeat(50 * KB);
  assert.equal((await post("/generate", { prompt: "x", more })).status, 200);
  assert.equal((await post("/generate", { more })).status, 422);
  assert.equal((await post("/generate", { prompt: "x", more: more + more })).status, 413);
  assert.equal((await post("/generate", `{"more":"${more}"`)).status, 422);
  const socket = connect(port, "127.0.0.1");
  const head =
    "POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n";
  socket.write(head + more);
  while (bodies.bytes < 50 * KB) await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  while (bodies.bytes > 0) await new Promise((resolve) => setImmediate(resolve));
});

test("a pipelined request gives its body's room back when its client leaves before its turn to be answered", async (context) => {
  const bodies = new BodyBudget(1000 * KB);
  const { jobs, until, port } = await serveStandIn(context, { bodies, hold: true, slots: 2 });
  const body = JSON.stringify({ prompt: "x", more: "x".repeat(50 * KB) });
  const post = `POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const socket = connect(port, "127.0.0.1");
  socket.write(post + post);
  await until(() => jobs.length === 2);
  socket.destroy();
  await until(() => jobs.every(({ cancelled }) => cancelled));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(bodies.bytes, 0);
});
