/*
 * Workers that die or hang while they have requests, streams, requests with an Idempotency-Key and jobs: each ends with the
 * text of an undisturbed run. Real processes; `fixtures/mortal.ts` kills their threads.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext, test } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { ServerProcess } from "../../ops/server-process.js";
import type { ServerSentEvent } from "../../ops/server-sent-events.js";

const folder = mkdtempSync(join(tmpdir(), "jai-deaths-"));
const model = join(folder, "model");
const mortal = new URL("../fixtures/mortal.js", import.meta.url).href;
before(() => writeFixtureModel(model, "int8"));
after(() => {
  ServerProcess.killAll();
  rmSync(folder, { recursive: true });
});

const skip = process.platform === "win32" && "needs POSIX's named pipes";

const REQUESTS = { plain: 30, streams: 6, keyed: 4, jobs: 4 };

interface Health {
  status: string;
  worker_states: { loaded: number; stalled: number; deaths: number };
  reruns: { tasks: number; failed: number };
}

let servers = 0;

async function serve(context: TestContext, environment: Record<string, string> = {}) {
  const death = join(folder, `death-${servers++}`);
  const server = await ServerProcess.ready(model, {
    JAI_WORKERS: "2",
    JAI_CONCURRENCY: "64",
    NODE_OPTIONS: `--import ${mortal}`,
    JAI_TEST_DEATH: death,
    ...environment,
  });
  context.after(() => server.kill("SIGKILL"));
  const health = async () => JSON.parse((await server.request("GET", "/health")).text) as Health;
  const until = async (condition: (health: Health) => boolean) => {
    const isFine = async () => {
      const { status, text } = await server.request("GET", "/health");
      return status === 200 && condition(JSON.parse(text) as Health);
    };
    // A request may be cut off with the process.
    while (!(await isFine().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const kill = (kind: string) => {
    writeFileSync(`${death}.new`, kind);
    // At once, so that no worker reads a part of it.
    spawnSync("mv", [`${death}.new`, death]);
  };
  return { server, health, until, kill, pipe: `${death}.pipe` };
}

const bodyOf = (seed: number) => ({
  prompt: `request ${seed}`,
  max_tokens: 300,
  ignore_eos: true,
  seed,
  ...(seed % 3 === 0 && { top_k: 0 }),
});

async function askWithKey(server: ServerProcess, body: object, key: string) {
  const response = await fetch(`http://127.0.0.1:${server.port}/generate`, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": key },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

/** All the load at once. @returns every text, and the longest pause of a stream */
async function load(server: ServerProcess, key: string, onStreaming = () => {}) {
  let seed = 0;
  let streaming = 0;
  let longestPause = 0;
  const generated = async (answer: Promise<{ status: number; text: string }>) => {
    const { status, text } = await answer;
    assert.equal(status, 200, text);
    return (JSON.parse(text) as { generated: string }).generated;
  };
  const times = <T>(count: number, one: (seed: number) => Promise<T>) =>
    Array.from({ length: count }, () => one(seed++));
  const plain = times(REQUESTS.plain, (seed) => generated(server.request("POST", "/generate", bodyOf(seed))));
  const streams = times(REQUESTS.streams, async (seed) => {
    let written = "";
    let tokens = 0;
    let last: string | null = null;
    let lastAt = 0;
    await server.stream("/generate", bodyOf(seed), ({ event, data: json }) => {
      const data = JSON.parse(json);
      const now = performance.now();
      if (event === "message") {
        if (written === "") {
          if (++streaming === REQUESTS.streams) onStreaming();
        } else longestPause = Math.max(longestPause, now - lastAt);
        lastAt = now;
        written += data.text;
        tokens += data.tokens;
      }
      if (event === "done") last = data.generated;
    });
    assert.equal(last, written);
    assert.equal(tokens, 300);
    return written;
  });
  const keyed = times(REQUESTS.keyed, (seed) =>
    generated(askWithKey(server, bodyOf(seed), `${key}-${seed}`)),
  );
  const jobs = times(REQUESTS.jobs, async (seed) => {
    const { status, text } = await server.request("POST", "/jobs", bodyOf(seed));
    assert.equal(status, 202, text);
    const { id } = JSON.parse(text) as { id: string };
    for (;;) {
      const job = JSON.parse((await server.request("GET", `/jobs/${id}`)).text);
      if (job.state === "done") return job.result.generated as string;
      assert.ok(["queued", "running"].includes(job.state), JSON.stringify(job));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  const texts = await Promise.all([...plain, ...streams, ...keyed, ...jobs]);
  return { texts, longestPause };
}

/**
 * All the load at once, by clients that know that a server may crash: those with a key, and those who wait for jobs, try
 * again until they are answered.
 * @param onStreaming called when all streams have begun and all jobs are accepted
 * @returns every text, as far as it came; null for none
 */
async function loadUnsure(server: ServerProcess, key: string, onStreaming: () => void) {
  let cut = 0;
  let refused = 0;
  let awaited = REQUESTS.streams + REQUESTS.jobs;
  const begun = () => {
    if (--awaited === 0) onStreaming();
  };
  const patiently = async (ask: () => Promise<{ status: number; text: string }>) => {
    for (;;) {
      const answer = await ask().catch(() => null);
      if (answer !== null && answer.status !== 503) return JSON.parse(answer.text);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const one = async (index: number): Promise<string | null> => {
    const body = bodyOf(index);
    let before = REQUESTS.plain;
    if (index < before) {
      const answer = await server.request("POST", "/generate", body).catch(() => void cut++);
      if (!answer) return null;
      if (answer.status !== 503) return JSON.parse(answer.text).generated;
      refused++;
      return null;
    }
    before += REQUESTS.streams;
    if (index < before) {
      let text = "";
      const read = ({ event, data }: ServerSentEvent) => {
        if (event === "message" && text === "") begun();
        if (event === "message") text += JSON.parse(data).text;
      };
      await server.stream("/generate", body, read).catch(() => cut++);
      return text;
    }
    before += REQUESTS.keyed;
    if (index < before) return (await patiently(() => askWithKey(server, body, `${key}-${index}`))).generated;
    const { id } = await patiently(() => server.request("POST", "/jobs", body));
    begun();
    for (;;) {
      const job = await patiently(() => server.request("GET", `/jobs/${id}`));
      if (job.state === "done") return job.result.generated;
      assert.ok(["queued", "running"].includes(job.state), JSON.stringify(job));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const count = Object.values(REQUESTS).reduce((sum, some) => sum + some);
  const texts = await Promise.all(Array.from({ length: count }, (_, index) => one(index)));
  return { texts, cut, refused };
}

for (const kind of ["exit", "throw", "rejection", "memory"])
  test(`a worker's death (${kind}) is no more than a pause`, (context) => dies(context, kind));

for (const kind of ["abort", "segv"])
  test(`a crash of the whole process (${kind}) ends no job and no keyed request`, {
    skip,
  }, async (context) => {
    const { server, until, kill } = await serve(context, { JAI_RESTART: "on" });
    const undisturbed = (await load(server, "a")).texts;
    let recovered = Promise.resolve(0);
    const { texts, cut, refused } = await loadUnsure(server, "b", () => {
      const killedAt = performance.now();
      kill(kind);
      const isBack = ({ worker_states: { loaded } }: Health) =>
        server.output.includes("it starts again") && loaded === 2;
      recovered = until(isBack).then(() => performance.now() - killedAt);
    });
    const { plain, streams } = REQUESTS;
    for (const [index, text] of texts.entries())
      if (index < plain + streams) assert.ok(text === null || undisturbed[index]!.startsWith(text));
      else assert.equal(text, undisturbed[index]);
    // Nobody is left to answer on the connections of a process that has crashed.
    assert.ok(cut > 0 && cut + refused <= plain + streams);
    context.diagnostic(
      `of ${plain} requests and ${streams} streams ${cut} were cut off and ${refused} refused; all workers were back ` +
        `after ${Math.round(await recovered)} ms`,
    );
    assert.equal((await server.stop()).code, 0);
  });

// They wait for a hung worker most of the time.
describe("a worker that hangs", { concurrency: true }, () => {
  it("is ended and replaced (an endless loop)", (context) => dies(context as TestContext, "loop"));

  for (const [kind, where] of [
    ["native", "native code that never returns"],
    ["run", "a run of the model that never returns"],
  ] as const)
    it(`is replaced, and keeps no process from ending (${where})`, { skip }, async (context) => {
      const { server, until, kill, pipe } = await serve(context as TestContext);
      spawnSync("mkfifo", [pipe]);
      const undisturbed = await load(server, "a");
      const disturbed = await load(server, "b", () => kill(kind));
      assert.deepEqual(disturbed.texts, undisturbed.texts);
      await until(({ status }) => status === "healthy");
      const { signal, output } = await server.stop();
      assert.equal(signal, "SIGKILL", output);
    });

  it("ends alone if its run of the model returns after all", { skip }, async (context) => {
    const { server, until, kill, pipe } = await serve(context as TestContext);
    spawnSync("mkfifo", [pipe]);
    const undisturbed = await load(server, "a");
    assert.deepEqual((await load(server, "b", () => kill("run"))).texts, undisturbed.texts);
    // Its reader gets on once there is a writer.
    await (await open(pipe, "w")).close();
    assert.deepEqual((await load(server, "c")).texts, undisturbed.texts);
    await until(({ status }) => status === "healthy");
    const { code, signal, output } = await server.stop();
    assert.deepEqual([code, signal], [0, null], output);
  });
});

async function dies(context: TestContext, kind: string): Promise<void> {
  const { server, health, until, kill } = await serve(context);
  const undisturbed = await load(server, "a");
  let recovered = Promise.resolve(0);
  const recover = async () => {
    const killedAt = performance.now();
    kill(kind);
    await until(({ worker_states: { deaths } }) => deaths === 1);
    await until(({ worker_states: { loaded } }) => loaded === 2);
    return performance.now() - killedAt;
  };
  const disturbed = await load(server, "b", () => {
    recovered = recover();
  });
  assert.deepEqual(disturbed.texts, undisturbed.texts);
  const ms = await recovered;
  const { status, reruns } = await health();
  assert.equal(status, "healthy");
  assert.ok(reruns.tasks > 0);
  assert.equal(reruns.failed, 0);
  context.diagnostic(
    `${reruns.tasks} sequences ran again; all workers were back after ${Math.round(ms)} ms; longest pause of a stream ` +
      `${Math.round(disturbed.longestPause)} ms, undisturbed ${Math.round(undisturbed.longestPause)} ms`,
  );
  const { code, signal } = await server.stop();
  assert.deepEqual([code, signal], [0, null]);
}
