// Real servers whose memory is short: of a small budget, and in a stand-in for a container with a limit.
import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { ServerProcess } from "../../ops/server-process.js";
import type { Vitals } from "../routes/health.js";

const MEGABYTE = 2 ** 20;
const folder = mkdtempSync(join(tmpdir(), "jai-memory-"));
const model = join(folder, "model");
before(() => writeFixtureModel(model, "int8"));
after(() => {
  ServerProcess.killAll();
  rmSync(folder, { recursive: true });
});

interface Health extends Pick<Vitals, "memory"> {
  status: string;
  worker_states: Vitals["workers"];
}

async function serve(context: TestContext, environment: Record<string, string>) {
  const server = await ServerProcess.ready(model, { JAI_WORKERS: "2", ...environment });
  context.after(() => server.kill("SIGKILL"));
  const health = async () => JSON.parse((await server.request("GET", "/health")).text) as Health;
  const until = async (condition: (health: Health) => boolean) => {
    for (;;) {
      const now = await health();
      if (condition(now)) return now;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  return { server, until };
}

const generated = (text: string) => (JSON.parse(text) as { generated: string }).generated;

// The first waits most of the time.
describe("memory that is short", { concurrency: true }, () => {
  it("beyond the budget has every worker replaced once, and costs no request", async (context) => {
    const { server, until } = await serve(context as TestContext, { JAI_MEMORY_BYTES: String(MEGABYTE) });
    const body = { prompt: "x", max_tokens: 20, ignore_eos: true, seed: 1 };
    const expected = generated((await server.request("POST", "/generate", body)).text);
    let isDone = false;
    const ask = async () => {
      let asked = 0;
      for (; !isDone; asked++) {
        const { status, text } = await server.request("POST", "/generate", body);
        assert.equal(status, 200, text);
        assert.equal(generated(text), expected);
      }
      return asked;
    };
    const asked = Promise.all([ask(), ask(), ask()]);
    const { worker_states } = await until(
      ({ memory, status }) => memory.replaced_workers === 2 && status === "healthy",
    );
    isDone = true;
    (context as TestContext).diagnostic(`${await asked} requests meanwhile`);
    assert.deepEqual(worker_states, { loaded: 2, stalled: 0, deaths: 0, failed_starts: 0 });
    const { code, output } = await server.stop();
    assert.equal(code, 0);
    assert.match(output, /more than its budget of 1 MiB/);
    assert.match(output, /memory is short: a worker is replaced as soon as it has no work/);
    assert.doesNotMatch(output, /a worker died/);
  });

  it("near a container's limit has new work refused, while running work and jobs end", async (context) => {
    const group = mkdtempSync(join(folder, "cgroup-"));
    const use = (megabytes: number) => {
      writeFileSync(join(group, "new"), `${megabytes * MEGABYTE}\n`);
      renameSync(join(group, "new"), join(group, "memory.current"));
    };
    writeFileSync(join(group, "memory.max"), `${1024 * MEGABYTE}\n`);
    use(200);
    const { server, until } = await serve(context as TestContext, {
      NODE_OPTIONS: `--import ${new URL("../fixtures/cgroup.js", import.meta.url).href}`,
      JAI_TEST_CGROUP: group,
    });
    const body = { prompt: "x", max_tokens: 5, seed: 1 };
    let last = "";
    const long = { prompt: "y", max_tokens: 4096, ignore_eos: true };
    const stream = server.stream("/generate", long, ({ event }) => {
      last = event;
    });
    await until(() => last === "message");

    use(1000);
    const limited = await until(({ memory }) => memory.limited);
    assert.equal(limited.status, "degraded");
    assert.equal(limited.memory.container_free, 24 * MEGABYTE);
    const refused = await server.request("POST", "/generate", body);
    assert.equal(refused.status, 503);
    assert.ok(Number(refused.headers["retry-after"]) >= 1);
    assert.match(refused.text, /Memory is short/);
    assert.equal((await server.request("GET", "/ready")).status, 503);
    const accepted = await server.request("POST", "/jobs", body);
    assert.equal(accepted.status, 202, accepted.text);
    assert.equal((await stream).status, 200);
    assert.equal(last, "done");

    use(200);
    await until(({ memory }) => !memory.limited);
    assert.equal((await server.request("POST", "/generate", body)).status, 200);
    assert.equal((await server.request("GET", "/ready")).status, 200);
    const { id } = JSON.parse(accepted.text) as { id: string };
    for (let state = ""; state !== "done"; ) {
      state = (JSON.parse((await server.request("GET", `/jobs/${id}`)).text) as { state: string }).state;
      assert.notEqual(state, "failed");
    }
    await server.stop();
  });
});
