/*
 * End to end: `jai serve` in a process of its own, over HTTP. The model is tiny and random, so its text is noise; the
 * tests check that it is always the same noise.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { randomCases } from "../../ops/random-cases.js";
import { ServerProcess } from "../../ops/server-process.js";
import type { ServerSentEvent } from "../../ops/server-sent-events.js";
import { uniform } from "../../workers/engine/sampling/philox.js";
import { settings } from "../settings/config.js";

interface Generation {
  generated: string;
  full_text: string;
  finish_reason: string;
  usage: { prompt_tokens: number; completion_tokens: number };
}

interface Health {
  model_loaded: boolean;
  queue: { waiting: number; running: number };
}

const folder = mkdtempSync(join(tmpdir(), "jai-serve-"));
const model = (precision: "fp32" | "int8") => join(folder, precision);
before(async () => {
  for (const precision of ["fp32", "int8"] as const) await writeFixtureModel(model(precision), precision);
});
after(() => {
  ServerProcess.killAll();
  rmSync(folder, { recursive: true });
});

/** Number of simultaneous requests. */
const MANY = randomCases(24, 64);
const CHARACTERS = [..."서울에서 개발자 채용 있어? abc [ANSWER]\n👩‍💻é"];

/** The `index`-th of a fixed set of varied requests. */
function requestOf(index: number) {
  const random = (salt: number) => uniform([index, salt], 0);
  const length = 1 + Math.floor(random(1) * (index % 5 === 0 ? 120 : 40));
  return {
    prompt: Array.from(
      { length },
      (_, i) => CHARACTERS[Math.floor(uniform([index, 2], i) * CHARACTERS.length)],
    ).join(""),
    max_tokens: 1 + Math.floor(random(3) * 60),
    temperature: index % 4 === 0 ? 0 : 0.5 + random(4),
    top_k: index % 3 === 0 ? 0 : 40,
    seed: index * 1_000_003,
    ignore_eos: index % 2 === 0,
    ...(index % 6 === 0 && { stop: ["a", "채용"] }),
  };
}

const pathOf = (index: number) => (index % 3 === 1 ? "/chat" : "/generate");

async function generate(server: ServerProcess, index: number, signal?: AbortSignal): Promise<Generation> {
  const { status, text } = await server.request("POST", pathOf(index), requestOf(index), signal);
  assert.equal(status, 200, text);
  return promised(JSON.parse(text) as Generation);
}

/** The reproducible part of an answer. The cached tokens aren't: they depend on earlier requests. */
function promised({ generated, full_text, finish_reason, usage }: Generation): Generation {
  const { prompt_tokens, completion_tokens } = usage;
  return { generated, full_text, finish_reason, usage: { prompt_tokens, completion_tokens } };
}

interface Streamed {
  /** Text of all deltas. */
  text: string;
  tokens: number;
  deltas: number;
  /** Names of the events; repeated ones count once. */
  names: string[];
  last: { event: string; data: unknown };
}

async function stream(
  server: ServerProcess,
  path: string,
  body: object,
  { signal, onEvent }: { signal?: AbortSignal; onEvent?: () => void } = {},
): Promise<Streamed> {
  const streamed: Streamed = {
    text: "",
    tokens: 0,
    deltas: 0,
    names: [],
    last: { event: "none", data: null },
  };
  const read = ({ event, data: json }: ServerSentEvent) => {
    const data = JSON.parse(json);
    if (event === "message") {
      streamed.text += data.text;
      streamed.tokens += data.tokens;
      streamed.deltas++;
    }
    if (streamed.last.event !== event) streamed.names.push(event);
    streamed.last = { event, data };
    onEvent?.();
  };
  const { status, text } = await server.stream(path, body, read, signal);
  assert.equal(status, 200, text);
  return streamed;
}

async function queueOf(server: ServerProcess): Promise<Health["queue"]> {
  const { text } = await server.request("GET", "/health");
  return (JSON.parse(text) as Health).queue;
}

/** Lets outputs go on until they are cut off, however slow whoever waits for them to begin is. */
const ENDLESS = { JAI_MAX_TOKENS: "1000000" };

/** Polls until the condition holds; the test's own timeout bounds it. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setImmediate(resolve));
}

for (const precision of ["fp32", "int8"] as const) {
  describe(`a server of an ${precision} model`, () => {
    let server: ServerProcess;
    before(async () => {
      // Two workers on any machine: the text must not depend on the worker, or on the other requests of a batch.
      server = await ServerProcess.ready(model(precision), {
        JAI_WORKERS: "2",
        JAI_CONCURRENCY: "9",
        JAI_QUEUE_LIMIT: "1000",
      });
    });
    after(() => server.stop());

    it("has the set concurrency, even if it is no multiple of the workers", async () => {
      const { text } = await server.request("GET", "/health");
      const { workers, concurrency } = JSON.parse(text) as { workers: number; concurrency: number };
      assert.deepEqual([workers, concurrency], [2, 9]);
    });

    it("uses the cache for a repeated prompt, whichever worker has it", async () => {
      for (const first of ["a", "b", "c", "d"]) {
        const body = { prompt: `${first}${"bcdefgh".repeat(8)}`, max_tokens: 4, seed: 1 };
        const ask = async () => {
          const { status, text } = await server.request("POST", "/generate", body);
          assert.equal(status, 200, text);
          return JSON.parse(text) as Generation & {
            usage: { prompt_tokens_details: { cached_tokens: number } };
          };
        };
        // Two at once, so that each worker gets one. The second time, each request must go to the same worker.
        await Promise.all([ask(), generate(server, 1)]);
        const again = await Promise.all([ask(), generate(server, 2)]);
        assert.ok(again[0].usage.prompt_tokens_details.cached_tokens > 0);
      }
    });

    it(`answers ${MANY} simultaneous requests byte for byte like each alone, even while others come and go`, async () => {
      const indices = Array.from({ length: MANY }, (_, index) => index);
      const alone: Generation[] = [];
      for (const index of indices) alone.push(await generate(server, index));
      const together = await Promise.all(indices.map((index) => generate(server, index)));
      assert.deepEqual(together, alone);

      const others = indices.map((index) => {
        const leaving = new AbortController();
        const other = generate(server, 1000 + index, leaving.signal).catch((error: Error) => error.name);
        return { leaving, other };
      });
      const amid = indices.map(async (index) => {
        const answer = await generate(server, index);
        others[index]!.leaving.abort();
        return answer;
      });
      assert.deepEqual(await Promise.all(amid), alone);
      await Promise.all(others.map(({ other }) => other));
      assert.ok(
        new Set(alone.map(({ generated }) => generated)).size > MANY / 2,
        "the requests hardly differ",
      );
    });

    it(`streams ${MANY} answers at once, equal to the whole ones to the byte and the token`, async () => {
      const bodies = Array.from({ length: MANY }, (_, index) => ({
        path: pathOf(index),
        body: requestOf(index),
      }));
      const ask = async ({ path, body }: (typeof bodies)[number]) => {
        const { status, text } = await server.request("POST", path, body);
        assert.equal(status, 200, text);
        return JSON.parse(text) as Generation & { id: string };
      };
      // A stop text ends every other answer in its middle.
      for (const [index, { generated }] of (await Promise.all(bodies.map(ask))).entries()) {
        const middle = generated.length >> 1;
        if (index % 2 === 0) bodies[index]!.body.stop = [generated.slice(middle, middle + 3) || "-", "채용"];
      }
      const whole = await Promise.all(bodies.map(ask));
      const streamed = await Promise.all(bodies.map(({ path, body }) => stream(server, path, body)));
      for (const [index, { text, tokens, last }] of streamed.entries()) {
        const { id, ...expected } = whole[index]!;
        assert.equal(text, expected.generated, `request ${index}`);
        assert.equal(tokens, expected.usage.completion_tokens, `request ${index}`);
        const done = last.data as {
          id: string;
          usage: Record<`${"prompt" | "completion"}_tokens_details`, object>;
        };
        // Cached and drafted tokens depend on earlier requests.
        const { prompt_tokens_details, completion_tokens_details } = done.usage;
        const usage = { ...expected.usage, prompt_tokens_details, completion_tokens_details };
        assert.deepEqual(last, { event: "done", data: { ...expected, usage, id: done.id } });
      }
      assert.ok(
        whole.filter(({ finish_reason }) => finish_reason === "stop").length > MANY / 4,
        "few stop strings",
      );
      // The fixture's tokens are bytes, so each of these characters took several tokens.
      const split = whole.filter(({ generated }) => /[\u0080-\ufffc]/.test(generated));
      assert.ok(split.length > MANY / 13, "few characters of several tokens");
    });
  });
}

/** Memory is checked only from this many requests on: with fewer it has not settled. */
const MEASURED_REQUESTS = 5000;
const MOST_GROWTH_BYTES = 64 * 2 ** 20;

describe("a server whose clients vanish", () => {
  const requests = Number(process.env.JAI_TEST_VANISHING ?? randomCases(120, 600));

  it(`leaks no slot and answers the other clients correctly over ${requests} requests`, async () => {
    const server = await ServerProcess.ready(model("int8"), {
      ...ENDLESS,
      JAI_CONCURRENCY: "8",
      JAI_QUEUE_LIMIT: "64",
    });
    const kinds = 40;
    const right: Generation[] = [];
    for (let index = 0; index < kinds; index++) right.push(await generate(server, index));
    const memory: number[] = [];
    let next = 0;
    let staying = 0;
    const client = async () => {
      while (next < requests) {
        const turn = next++;
        if (turn % Math.ceil(requests / 20) === 0) memory.push(residentBytes(server.pid));
        const leaving = new AbortController();
        const vanishes = uniform([turn, 77], 0) < 0.5;
        if (!vanishes) staying++;
        if (vanishes) setTimeout(() => leaving.abort(), uniform([turn, 78], 0) * 60);
        try {
          const answer = await generate(server, turn % kinds, leaving.signal);
          assert.deepEqual(answer, right[turn % kinds]);
        } catch (error) {
          if ((error as Error).name !== "AbortError") throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: 24 }, client));
    await until(async () => {
      const { waiting, running } = await queueOf(server);
      return waiting === 0 && running === 0;
    });
    assert.ok(staying > requests / 3 && staying < requests, `${staying} of ${requests} stayed`);
    if (requests >= MEASURED_REQUESTS) {
      const middle = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!;
      const growth = middle(memory.slice(15)) - middle(memory.slice(8, 13));
      assert.ok(growth < MOST_GROWTH_BYTES, `${growth} bytes more in the last quarter than midway`);
    }
    // All slots are still there: that many requests run at once.
    const held = Array.from({ length: 8 }, () => {
      const leaving = new AbortController();
      const body = { prompt: "x", max_tokens: 1_000_000, ignore_eos: true };
      const answer = server
        .request("POST", "/generate", body, leaving.signal)
        .catch((error: Error) => error.name);
      return { leaving, answer };
    });
    await until(async () => (await queueOf(server)).running === 8);
    for (const { leaving, answer } of held) {
      leaving.abort();
      assert.equal(await answer, "AbortError");
    }
    const { code } = await server.stop();
    assert.equal(code, 0);
    process.stdout.write(
      `# resident MiB along the way: ${memory.map((bytes) => Math.round(bytes / 2 ** 20)).join(" ")}\n`,
    );
  });
});

function residentBytes(pid: number): number {
  if (process.platform !== "linux") return 0;
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
}

describe("a server that streams", () => {
  let server: ServerProcess;
  before(async () => {
    server = await ServerProcess.ready(model("int8"), {
      ...ENDLESS,
      JAI_CONCURRENCY: "2",
      JAI_QUEUE_LIMIT: "100",
    });
  });
  after(() => server.stop());
  const endless = { prompt: "질문", max_tokens: 1_000_000, ignore_eos: true };

  it("frees the slot of a stream closed midway, and drops a closed one that still waits", async () => {
    const clients = Array.from({ length: 3 }, () => {
      const leaving = new AbortController();
      const events = { count: 0 };
      const onEvent = () => events.count++;
      const stop = { signal: leaving.signal, onEvent };
      return {
        leaving,
        events,
        end: stream(server, "/generate", endless, stop).catch((error) => error.name),
      };
    });
    const told = () => clients.every(({ events }) => events.count > 0);
    await until(async () => told() && (await queueOf(server)).waiting === 1);
    for (const { leaving } of clients.reverse()) leaving.abort();
    for (const { end } of clients) assert.equal(await end, "AbortError");
    await until(async () => {
      const { waiting, running } = await queueOf(server);
      return waiting === 0 && running === 0;
    });
    assert.equal((await stream(server, "/chat", { prompt: "x", max_tokens: 5 })).last.event, "done");
  });

  it("sends waiting streams their position before their text", async () => {
    const body = { ...endless, max_tokens: 100 };
    const streams = await Promise.all(Array.from({ length: 8 }, () => stream(server, "/generate", body)));
    const names = streams.map(({ names }) => names.join(" "));
    assert.equal(names.filter((name) => name === "queue message done").length, 6);
    assert.equal(names.filter((name) => name === "message done").length, 2);
  });

  it("does not let a client that reads nothing hold up others, and keeps its whole answer", async () => {
    const body = JSON.stringify({
      ...endless,
      max_tokens: 4000,
      prompt: "가".repeat(30_000),
      stream: true,
    });
    const socket = connect(server.port, "127.0.0.1");
    socket.pause();
    socket.write(
      `POST /generate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    await until(async () => (await queueOf(server)).running === 1);
    const fast = await Promise.all(Array.from({ length: 6 }, (_, index) => generate(server, index)));
    assert.equal(fast.length, 6);
    // Its slot is free once its text is generated, read or not.
    await until(async () => (await queueOf(server)).running === 0);
    let text = "";
    socket.setEncoding("utf8").on("data", (piece) => {
      text += piece;
    });
    socket.resume();
    await once(socket, "end");
    assert.match(text, /event: done\r?\ndata: \{"prompt":"가가/);
  });
});

describe("the default model", () => {
  it("answers with a job posting for the place and role in question", async () => {
    const server = await ServerProcess.ready(settings.model.default);
    const body = { prompt: "판교에서 백엔드 개발자 채용하는 곳 알려줘", temperature: 0 };
    const { status, text } = await server.request("POST", "/chat", body);
    const streamed = await stream(server, "/chat", body);
    await server.stop();
    assert.equal(status, 200);
    const { prompt, generated, full_text, finish_reason } = JSON.parse(text) as Generation & {
      prompt: string;
    };
    assert.equal(prompt, "<|user|>판교에서 백엔드 개발자 채용하는 곳 알려줘<|end|><|assistant|>");
    assert.match(generated, /판교/);
    assert.match(generated, /백엔드 개발자/);
    assert.ok(!generated.includes("<|end|>"));
    // The token that ends a message is left out of texts.
    assert.equal(full_text, prompt.replace("<|end|>", "") + generated);
    assert.equal(finish_reason, "stop");
    assert.equal(streamed.text, generated);
    assert.ok(streamed.deltas > 1);
  });
});

describe("a server that is stopped", () => {
  /** Starts slow requests, some of which run and some wait, and returns their answers. */
  async function load(server: ServerProcess, count: number) {
    const answers = Array.from({ length: count }, () =>
      server.request("POST", "/generate", { prompt: "질문", max_tokens: 1000, ignore_eos: true }),
    );
    await until(async () => {
      const { waiting, running } = await queueOf(server);
      return waiting + running === count;
    });
    return answers;
  }

  it("finishes admitted requests, refuses new ones, and exits with 0", async () => {
    const server = await ServerProcess.ready(model("int8"), { JAI_CONCURRENCY: "4" });
    const answers = await load(server, 12);
    server.kill("SIGTERM");
    await until(async () => /stopping on SIGTERM/.test(server.output));
    const refused = await server.request("POST", "/generate", { prompt: "too late" });
    assert.equal(refused.status, 503);
    assert.ok(Number(refused.headers["retry-after"]) >= 1);
    for (const answer of await Promise.all(answers)) assert.equal(answer.status, 200);
    assert.equal((await server.exit).code, 0);
  });

  it("cancels the rest after JAI_DRAIN_SECONDS, and still exits with 0", async () => {
    const server = await ServerProcess.ready(model("int8"), {
      ...ENDLESS,
      JAI_CONCURRENCY: "1",
      JAI_DRAIN_SECONDS: "0",
    });
    const body = { prompt: "x", max_tokens: 1_000_000, ignore_eos: true };
    const answer = server.request("POST", "/generate", body).catch((error: Error) => error);
    await until(async () => (await queueOf(server)).running === 1);
    const { code } = await server.stop();
    assert.equal(code, 0);
    const cut = await answer;
    assert.ok(cut instanceof Error || cut.status === 503);
  });

  it("ends cancelled streams with an error event", async () => {
    const server = await ServerProcess.ready(model("int8"), {
      ...ENDLESS,
      JAI_CONCURRENCY: "1",
      JAI_DRAIN_SECONDS: "0",
    });
    const body = { prompt: "x", max_tokens: 1_000_000, ignore_eos: true };
    const streams = [stream(server, "/generate", body), stream(server, "/chat", body)];
    await until(async () => {
      const { waiting, running } = await queueOf(server);
      return waiting === 1 && running === 1;
    });
    server.kill("SIGTERM");
    for (const { last } of await Promise.all(streams))
      assert.deepEqual(last, { event: "error", data: { detail: "The server is shutting down" } });
    assert.equal((await server.exit).code, 0);
  });

  it("exits at once at a second signal", async () => {
    const server = await ServerProcess.ready(model("int8"), {
      ...ENDLESS,
      JAI_CONCURRENCY: "1",
      JAI_DRAIN_SECONDS: "3600",
    });
    const body = { prompt: "x", max_tokens: 1_000_000, ignore_eos: true };
    const answers = Array.from({ length: 60 }, () =>
      server.request("POST", "/generate", body).catch((error: Error) => error),
    );
    await until(async () => (await queueOf(server)).waiting === 59);
    server.kill("SIGINT");
    await until(async () => /drain|stop/i.test(server.output));
    server.kill("SIGINT");
    const { code, signal } = await server.exit;
    assert.ok(code !== 0 || signal !== null);
    await Promise.all(answers);
  });
});

describe("a server that is full", () => {
  it("refuses with 503 and a Retry-After beyond its slots and its queue, and goes on", async () => {
    const server = await ServerProcess.ready(model("int8"), { JAI_CONCURRENCY: "2", JAI_QUEUE_LIMIT: "3" });
    const body = { prompt: "질문", max_tokens: 200, ignore_eos: true };
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => server.request("POST", "/generate", body)),
    );
    const refused = answers.filter(({ status }) => status === 503);
    assert.ok(refused.length > 0 && refused.length <= 15);
    assert.equal(answers.filter(({ status }) => status === 200).length, 20 - refused.length);
    for (const { headers } of refused) assert.ok(Number(headers["retry-after"]) >= 1);
    assert.equal((await server.request("POST", "/generate", body)).status, 200);
    await server.stop();
  });
});
