import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import type { CompiledForm } from "../../workers/protocol.js";
import { invalidGrammar } from "../errors/errors.js";
import { Callers } from "../keys/callers.js";
import { hashKey, unlimited } from "../settings/key.js";
import { serve } from "./fixtures/jobs.js";

/** Forms whose first check succeeds at once; each later one waits until the test releases it. */
function heldForms() {
  const held: (() => void)[] = [];
  let checks = 0;
  const check = (_source: unknown, _caller: string, signal?: AbortSignal) =>
    new Promise<CompiledForm>((resolve, reject) => {
      const form = { id: 1, numbers: new Float64Array(new SharedArrayBuffer(0)) };
      signal?.addEventListener("abort", () => reject(signal.reason));
      // The first check is part of accepting the job.
      if (++checks === 1) resolve(form);
      else held.push(() => resolve(form));
    });
  return { held, forms: { check } };
}

test("a caller's jobs start in order even if the first waits for its form; other callers' jobs don't wait for it", async (context) => {
  const { held, forms } = heldForms();
  const key = (name: string) => ({ name, hash: hashKey(name), priority: 0, limits: unlimited });
  const callers = new Callers([key("anna"), key("ben")]);
  const { create, jobs, until } = await serve(context, { forms, callers });
  const [anna, ben] = [{ "x-api-key": "anna" }, { "x-api-key": "ben" }];
  await create({ prompt: "a", regex: "a" }, anna);
  await create({ prompt: "b" }, anna);
  await create({ prompt: "c" }, ben);
  const begun = () => jobs.map(({ task }) => String.fromCodePoint(...task.promptIds));
  await until(() => jobs.length === 1);
  assert.deepEqual(begun(), ["c"]);
  held[0]!();
  await until(() => jobs.length === 3);
  assert.deepEqual(begun(), ["c", "a", "b"]);
});

test("a job can be cancelled while its form is compiled, and the caller's next one starts", async (context) => {
  const { held, forms } = heldForms();
  const { ask, get, create, jobs, until } = await serve(context, { forms });
  const { id } = await create({ prompt: "a", regex: "a" });
  await create({ prompt: "b" });
  assert.equal(held.length, 1);
  assert.equal((await ask("DELETE", `/jobs/${id}`)).status, 200);
  await until(() => jobs.length === 1);
  assert.deepEqual(jobs[0]!.task.promptIds, [98]);
  assert.equal((await get(id)).state, "cancelled");
});

test("a job with an impossible form is refused, and has a place while it is checked", async (context) => {
  let refuse: (() => void) | null = null;
  const check = () =>
    new Promise<never>((_, reject) => {
      refuse = () => reject(invalidGrammar("expected another"));
    });
  const { ask } = await serve(context, { forms: { check }, config: { jobLimit: 1 } });
  const asked = ask("POST", "/jobs", { prompt: "a", regex: "a" });
  while (refuse === null) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await ask("POST", "/jobs", { prompt: "b" })).status, 503);
  (refuse as () => void)();
  assert.equal((await asked).status, 400);
  assert.equal((await ask("POST", "/jobs", { prompt: "b" })).status, 202);
});

test("any number of jobs with forms may be pipelined, without a warning of a leak", async (context) => {
  const asked: (() => void)[] = [];
  const check = () =>
    new Promise<CompiledForm>((resolve) => {
      asked.push(() => resolve({ id: 1, numbers: new Float64Array(new SharedArrayBuffer(0)) }));
    });
  const { port } = await serve(context, { forms: { check } });
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on("warning", note);
  context.after(() => process.off("warning", note));
  const body = '{"prompt":"x","regex":"a"}';
  const one = `POST /jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const socket = connect(port, "127.0.0.1");
  let answers = "";
  socket.on("data", (data) => {
    answers += data;
  });
  socket.write(one.repeat(15));
  while (asked.length < 15) await new Promise((resolve) => setImmediate(resolve));
  for (const compile of asked) compile();
  while (answers.split("HTTP/1.1 202 ").length <= 15) await once(socket, "data");
  socket.destroy();
  assert.deepEqual(warnings, []);
});
