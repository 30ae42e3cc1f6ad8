import assert from "node:assert/strict";
import { test } from "node:test";
import { type Job, serve } from "./fixtures/jobs.js";

test("every POST in openapi.yaml documents Idempotency-Key and its errors", async (context) => {
  const { document } = await serve(context);
  for (const [path, operations] of Object.entries(document.paths)) {
    const post = operations.post as
      | { parameters?: { $ref?: string }[]; responses: Record<string, unknown> }
      | undefined;
    if (post === undefined) continue;
    const references = post.parameters?.map(({ $ref }) => $ref) ?? [];
    assert.ok(references.includes("#/components/parameters/IdempotencyKey"), path);
    assert.ok("409" in post.responses && "507" in post.responses, path);
  }
});

const fifty = Array.from({ length: 50 });

for (const [path, body] of [
  ["/generate", { prompt: "x", max_tokens: 5 }],
  ["/chat", { prompt: "x", max_tokens: 5 }],
  ["/chat", { prompt: "x", max_tokens: 5, stream: true }],
  ["/v1/completions", { model: "stand-in", prompt: "x", max_tokens: 5 }],
  ["/v1/completions", { model: "stand-in", prompt: "x", max_tokens: 5, stream: true }],
] as const) {
  test(`fifty simultaneous POSTs to ${path}${"stream" in body ? " as streams" : ""} with one key are one generation`, async (context) => {
    const { ask, jobs, until } = await serve(context);
    const asking = fifty.map(() => ask("POST", path, body, { "idempotency-key": "5f0e" }));
    await until(() => jobs.length === 1);
    jobs[0]!.finish();
    const answers = await Promise.all(asking);
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    assert.ok(answers.every(({ status }) => status === 200));
    assert.equal(new Set(texts).size, 1);
    assert.match(texts[0]!, /!!!!!/);
    assert.equal(jobs.length, 1);
    const conflict = await ask("POST", path, { ...body, max_tokens: 6 }, { "idempotency-key": "5f0e" });
    assert.equal(conflict.status, 409);
  });
}

test("fifty simultaneous POSTs to /jobs with one key are one job", async (context) => {
  const { ask, json, jobs, until } = await serve(context);
  const asking = fifty.map(() => ask("POST", "/jobs", { prompt: "x" }, { "idempotency-key": "5f0e" }));
  const answers = await Promise.all(asking);
  const bodies = await Promise.all(answers.map((answer) => json<Job>(answer)));
  assert.ok(answers.every(({ status }) => status === 202));
  assert.ok(answers.every(({ headers }) => headers.get("location") === `/jobs/${bodies[0]!.id}`));
  for (const body of bodies) assert.deepEqual(body, bodies[0]);
  await until(() => jobs.length === 1);
  assert.equal((await json<{ jobs: Job[] }>(ask("GET", "/jobs"))).jobs.length, 1);
});

for (const key of ["", "with space", "x".repeat(256), "schlüssel"])
  test(`an Idempotency-Key of ${JSON.stringify(key.slice(0, 20))} is refused`, async (context) => {
    const { port } = await serve(context);
    assert.equal(await statusWithKey(port, key), 422);
  });

/** Sends a raw request, since `fetch` refuses such header values. */
async function statusWithKey(port: number, key: string): Promise<number> {
  const { connect } = await import("node:net");
  const socket = connect(port, "127.0.0.1");
  const body = '{"prompt":"x"}';
  socket.write(
    `POST /generate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n` +
      `Content-Length: ${body.length}\r\nIdempotency-Key: ${key}\r\n\r\n${body}`,
    "latin1",
  );
  let text = "";
  for await (const chunk of socket) text += chunk;
  return Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1]);
}
