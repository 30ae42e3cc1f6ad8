/*
 * End to end: a server with jobs in all states is killed, and the next one on its data folder continues as if nothing
 * had happened. JAI_TEST_JOBS sets the number of jobs.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { copyPackage } from "../../ops/installation.js";
import { ServerProcess } from "../../ops/server-process.js";
import { uniform } from "../../workers/engine/sampling/philox.js";

const COUNT = Number(process.env.JAI_TEST_JOBS ?? 40);
const CHARACTERS = [..."서울에서 개발자 채용 있어? abc [ANSWER]\n👩‍💻é"];

interface Job {
  id: string;
  state: string;
  attempts: number;
  ended_at: string | null;
  error?: object | null;
  result?: { generated: string; seed: number; id: string; usage: { prompt_tokens_details: object } };
  callback?: { state: string };
}

const folder = mkdtempSync(join(tmpdir(), "jai-restart-"));
const model = join(folder, "model");
before(() => writeFixtureModel(model, "int8"));
after(() => {
  ServerProcess.killAll();
  rmSync(folder, { recursive: true });
});

const isCancelled = (index: number) => index % 8 === 7;

/** The `index`-th body: every third has a seed, every seventh asks for two texts, every tenth fails. */
function bodyOf(index: number): Record<string, unknown> {
  const random = (salt: number, position = 0) => uniform([index, salt], position);
  const length = 1 + Math.floor(random(1) * 40);
  const prompt = Array.from(
    { length },
    (_, position) => CHARACTERS[Math.floor(random(2, position) * CHARACTERS.length)],
  ).join("");
  return {
    prompt,
    max_tokens: 20 + Math.floor(random(3) * 200),
    ignore_eos: true,
    endpoint: index % 2 ? "/chat" : "/generate",
    ...(index % 3 === 0 && { seed: index * 1_000_003 }),
    ...(index % 7 === 0 && { n: 2 }),
    ...(index % 10 === 9 && { max_tokens: 4000, timeout: { total: 0.01 } }),
  };
}

const start = (data: string, environment: Record<string, string> = {}) =>
  ServerProcess.ready(model, { JAI_DATA_DIR: join(folder, data), JAI_CONCURRENCY: "4", ...environment });

interface Delta {
  text: string;
}

function clientOf(server: ServerProcess) {
  const url = `http://127.0.0.1:${server.port}`;
  const json = async <T>(path: string, init?: RequestInit) => {
    const response = await fetch(url + path, init);
    return { status: response.status, body: (await response.json()) as T };
  };
  return {
    url,
    create: async (body: object, key: string) => {
      const headers = { "content-type": "application/json", "idempotency-key": key };
      const created = await json<Job>("/jobs", { method: "POST", headers, body: JSON.stringify(body) });
      assert.equal(created.status, 202, JSON.stringify(created.body));
      return created.body;
    },
    get: async (id: string) => (await json<Job>(`/jobs/${id}`)).body,
    cancel: async (id: string) => (await json<Job>(`/jobs/${id}`, { method: "DELETE" })).body,
    list: async () => {
      const all: Job[] = [];
      for (let cursor: string | null = ""; cursor !== null; ) {
        const page: { body: { jobs: Job[]; next_cursor: string | null } } = await json(
          `/jobs?limit=7${cursor && `&cursor=${cursor}`}`,
        );
        all.push(...page.body.jobs);
        cursor = page.body.next_cursor;
      }
      return all;
    },
    /** Reads a job's events until they end, or the server does. */
    follow: async (id: string, lastId: string) => {
      let text = "";
      let last = lastId;
      try {
        const response = await fetch(`${url}/jobs/${id}/events`, {
          headers: lastId === "" ? {} : { "last-event-id": lastId },
        });
        const decoder = new TextDecoder();
        let rest = "";
        for await (const bytes of response.body!) {
          const events = (rest + decoder.decode(bytes, { stream: true })).split("\n\n");
          rest = events.pop()!;
          for (const event of events) {
            const [, id] = /^id: (.*)$/m.exec(event) ?? [];
            const [, data] = /^data: (.*)$/m.exec(event) ?? [];
            last = id ?? last;
            if (data !== undefined && !event.startsWith("event:")) text += (JSON.parse(data) as Delta).text;
          }
        }
      } catch {
        // The server was killed.
      }
      return { text, last };
    },
  };
}

/** The reproducible part of a result: all but its id and the cached tokens. */
function promised({ state, result, error }: Job) {
  assert.equal(state, "done", JSON.stringify(error));
  const { id: _id, usage, ...rest } = result!;
  return { ...rest, usage: { ...usage, prompt_tokens_details: {}, completion_tokens_details: {} } };
}

test(`a kill loses or doubles none of ${COUNT} jobs in all states, and their texts are those of an undisturbed server`, async (context) => {
  const finals = new Map<string, number>();
  const secret = `whsec_${Buffer.alloc(32, 5).toString("base64")}`;
  const receiver = createServer(async (req, res) => {
    let body = "";
    for await (const chunk of req) body += chunk;
    const { id } = new Webhook(secret).verify(body, req.headers as Record<string, string>) as Job;
    finals.set(id, (finals.get(id) ?? 0) + 1);
    res.end();
    told();
  }).listen(0, "127.0.0.1");
  let told = () => {};
  await once(receiver, "listening");
  context.after(() => {
    receiver.closeAllConnections();
    receiver.close();
  });
  const callback_url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  const environment = {
    JAI_CALLBACK_SECRET: secret,
    JAI_CALLBACK_PRIVATE: "allow",
  };

  let server = await start("killed", environment);
  let client = clientOf(server);
  const bodies = Array.from({ length: COUNT }, (_, index) => ({ ...bodyOf(index), callback_url }));
  // While it runs, no other job begins, so that none has ended when it is cancelled.
  const blocker = { prompt: "막기", max_tokens: 4000, ignore_eos: true, n: 4, priority: 10 };
  const { id: blockerId } = await client.create(blocker, "blocker");
  const created = await Promise.all(bodies.map((body, index) => client.create(body, `key-${index}`)));
  const ids = created.map(({ id }) => id);
  assert.equal(new Set(ids).size, COUNT);
  const cancelled = ids.filter((_, index) => isCancelled(index));
  await Promise.all(cancelled.map((id) => client.cancel(id)));
  await client.cancel(blockerId);

  // A long job, followed across the kills.
  const long = { prompt: "길게", max_tokens: 600, ignore_eos: true, seed: 5, priority: 10 };
  const { id: followedId } = await client.create(long, "long");
  let text = "";
  let lastId = "";
  let attempts: Job[] = [];
  for (const share of [0.25, 0.5]) {
    const following = client.follow(followedId, lastId);
    const killed = server;
    const enough = async () => {
      attempts = await client.list();
      return attempts.filter(({ state }) => state === "done").length >= COUNT * share;
    };
    while (!(await enough()));
    killed.kill("SIGKILL");
    await killed.exit;
    const { text: more, last } = await following;
    text += more;
    lastId = last;
    const ended = attempts.filter(({ ended_at }) => ended_at !== null);
    server = await start("killed", environment);
    client = clientOf(server);
    const now = new Map((await client.list()).map((job) => [job.id, job]));
    assert.deepEqual([...now.keys()].sort(), [...ids, blockerId, followedId].sort(), "lost or doubled");
    for (const { id, state, attempts: before, ended_at } of ended) {
      const { state: nowState, attempts: nowBefore, ended_at: nowEnded } = now.get(id)!;
      assert.deepEqual([nowState, nowBefore, nowEnded], [state, before, ended_at], "ended jobs stay ended");
    }
  }

  // Clients that don't know whether a POST arrived before the kill send it again.
  const again = await Promise.all(bodies.map((body, index) => client.create(body, `key-${index}`)));
  assert.deepEqual(
    again.map(({ id }) => id),
    ids,
  );
  await Promise.all(ids.map((id) => client.follow(id, "")));
  const rest = await client.follow(followedId, lastId);
  const jobs = await Promise.all(ids.map(client.get));
  const { result } = await client.get(followedId);
  if (lastId !== "end") assert.equal(text + rest.text, result!.generated);

  const count = (state: string) => jobs.filter((job) => job.state === state).length;
  process.stdout.write(
    `# ${["done", "failed", "cancelled"].map((state) => `${count(state)} ${state}`).join(", ")}; ` +
      `${jobs.filter(({ attempts }) => attempts > 1).length} ran again\n`,
  );
  assert.ok(
    jobs.some((job) => job.attempts > 1),
    "none was running when the server was killed",
  );
  assert.ok(count("failed") > 0);
  for (const id of cancelled) assert.equal(jobs[ids.indexOf(id)]!.state, "cancelled");
  await new Promise<void>((resolve) => {
    told = () => {
      if (ids.every((id) => finals.has(id))) resolve();
    };
    told();
  });
  await server.stop();

  const alone = await start("alone");
  const undisturbed = clientOf(alone);
  for (const [index, job] of jobs.entries()) {
    if (job.state !== "done") continue;
    // On a machine that is very busy, a job may end before its deadline is noticed.
    const { callback_url: _url, timeout: _timeout, ...body } = bodies[index] as Record<string, unknown>;
    const { id } = await undisturbed.create({ ...body, seed: job.result!.seed }, `alone-${index}`);
    await undisturbed.follow(id, "");
    assert.deepEqual(promised(job), promised(await undisturbed.get(id)), `job ${index}`);
  }
  await alone.stop();
});

test("a second server on the same data folder exits with an error, and the first goes on", async () => {
  const first = await start("shared");
  const data = join(folder, "shared");
  const second = await ServerProcess.start(["--model", model, "--data-dir", data]);
  const { code, output } = await second.exit;
  assert.equal(code, 1);
  assert.equal(
    output.trim().split("\n").at(-1),
    `cannot keep jobs in ${data}: another server uses it; name another folder (JAI_DATA_DIR) and port (JAI_PORT)`,
  );
  const { id } = await clientOf(first).create({ prompt: "x", max_tokens: 2 }, "one");
  await clientOf(first).follow(id, "");
  assert.equal((await first.stop()).code, 0);
});

test("an unusable data folder is reported in one line", async () => {
  const file = join(folder, "file");
  writeFileSync(file, "");
  const { code, output } = await (await ServerProcess.start(["--model", model, "--data-dir", file])).exit;
  assert.equal(code, 1);
  assert.match(output.trim().split("\n").at(-1)!, /cannot keep jobs in .*: it is not a folder/);
});

async function freePort(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return String(port);
}

/** Starts a server with the default data folder, below this state folder. */
const startAt = (port: string, state: string, script?: string) =>
  ServerProcess.ready(
    model,
    { JAI_PORT: port, JAI_CONCURRENCY: "1", JAI_DATA_DIR: "", XDG_STATE_HOME: state },
    script,
  );

test("an upgrade moves waiting jobs out of the package's folder, and they run", async () => {
  const installed = join(folder, "installed");
  const script = copyPackage(installed);
  const state = join(folder, "upgraded");
  const old = await start("installed/data", { JAI_CONCURRENCY: "1" });
  // Runs longer than the rest of this test.
  const endless = { prompt: "x", max_tokens: 4000, ignore_eos: true, n: 8 };
  const running = await clientOf(old).create(endless, "running");
  const waiting = await clientOf(old).create(
    { prompt: "y", max_tokens: 5, ignore_eos: true, seed: 1 },
    "waiting",
  );
  assert.equal((await clientOf(old).get(waiting.id)).state, "queued");

  const port = await freePort();
  const beside = await ServerProcess.start(
    ["--model", model, "--port", port],
    { JAI_DATA_DIR: "", XDG_STATE_HOME: state },
    script,
  );
  assert.match(
    beside.output,
    new RegExp(`WARNING - jobs of an earlier version stay in ${installed}/data: another server uses`),
  );
  await beside.stop();

  old.kill("SIGKILL");
  await old.exit;
  const upgraded = await startAt(port, state, script);
  const data = join(state, "jai-server", port);
  const client = clientOf(upgraded);
  await client.cancel(running.id);
  await client.follow(waiting.id, "");
  const { state: ended, result } = await client.get(waiting.id);
  assert.equal(ended, "done");
  assert.equal(result!.generated.length > 0, true);
  assert.ok(
    upgraded.output.includes(
      `the jobs of an earlier version were moved from ${installed}/data/jobs to ${data}/jobs\n`,
    ),
  );
  assert.ok(upgraded.output.includes(`jobs are kept in ${data}\n`));
  assert.equal(existsSync(join(installed, "data")), false);
  await upgraded.stop();
});

test("two servers of one user have separate jobs, and each finds its own again", async () => {
  const state = join(folder, "two");
  const ports = [await freePort(), await freePort()];
  const servers = await Promise.all(ports.map((port) => startAt(port, state)));
  assert.deepEqual(readdirSync(join(state, "jai-server")).sort(), ports.toSorted());
  const ids = await Promise.all(
    servers.map(async (server) => {
      const client = clientOf(server);
      const { id } = await client.create({ prompt: "x", max_tokens: 2 }, "one");
      await client.follow(id, "");
      return id;
    }),
  );

  const third = await ServerProcess.start(["--model", model, "--port", ports[0]!], {
    JAI_DATA_DIR: "",
    XDG_STATE_HOME: state,
  });
  const { code, output } = await third.exit;
  assert.equal(code, 1);
  assert.match(
    output,
    new RegExp(
      `^port ${ports[0]} is another server's, which keeps jobs in .*/jai-server/${ports[0]}; JAI_PORT or`,
      "m",
    ),
  );

  for (const server of servers) await server.stop();
  const again = await startAt(ports[1]!, state);
  assert.deepEqual(
    (await clientOf(again).list()).map(({ id }) => id),
    [ids[1]],
  );
  await again.stop();
});

test("with port 0 the data folder is removed on a stop if it has no jobs, else the log says where it is", async () => {
  const first = await ServerProcess.ready(model, { JAI_DATA_DIR: "", TMPDIR: folder });
  const [, path] = /port 0: jobs are kept in (\S+),/.exec(first.output)!;
  assert.ok(existsSync(path!));
  await first.stop();
  assert.equal(existsSync(path!), false);

  const second = await ServerProcess.ready(model, { JAI_DATA_DIR: "", TMPDIR: folder });
  await clientOf(second).create({ prompt: "x", max_tokens: 2 }, "one");
  const { output } = await second.stop();
  const [, left] = /WARNING - jobs are left in (\S+); JAI_DATA_DIR=\1 serves them/.exec(output)!;
  assert.ok(existsSync(join(left!, "jobs/CURRENT")));
});
