// A real parent and its children: crashes by real signals, requests over real HTTP.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { ServerProcess } from "../../ops/server-process.js";
import { Parent } from "./parent.js";

const folder = mkdtempSync(join(tmpdir(), "jai-parent-"));
const model = join(folder, "model");
before(() => writeFixtureModel(model, "int8"));
after(() => {
  ServerProcess.killAll();
  rmSync(folder, { recursive: true });
});

const start = (environment: Record<string, string> = {}) =>
  ServerProcess.ready(model, {
    JAI_RESTART: "on",
    JAI_CONCURRENCY: "4",
    JAI_MAX_TOKENS: "1000000",
    ...environment,
  });

/** The process id of a process's only child. */
function childOf(pid: number): number {
  const children =
    process.platform === "linux"
      ? readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      : execFileSync("pgrep", ["-P", String(pid)], { encoding: "utf8" });
  return Number(children.trim());
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

/** Collects the errors alone. */
const logTo = (lines: string[]) => ({
  error: (line: string) => void lines.push(line),
  warn: () => {},
  info: () => {},
  debug: () => {},
});

const turn = () => new Promise((resolve) => setTimeout(resolve, 5));

async function until(condition: () => boolean | Promise<boolean>) {
  while (!(await condition())) await turn();
}

/** Resolves when a sequence has a slot. */
const isRunning = ({ port }: ServerProcess) =>
  until(async () => JSON.parse((await ask(port, "GET", "/health")).body).queue?.running > 0);

/** Sends a request on a connection of its own. Rejects for a connection that is refused or reset. */
function ask(port: number, method: string, path: string, body?: object, headers = {}) {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: string }>(
    (resolve, reject) => {
      const type = body && { "content-type": "application/json" };
      const asked = request({
        port,
        host: "127.0.0.1",
        method,
        path,
        agent: false,
        headers: { ...type, ...headers },
      });
      asked.on("error", reject).on("response", (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (piece) => {
          text += piece;
        });
        response.on("end", () =>
          resolve({ status: response.statusCode!, headers: response.headers, body: text }),
        );
        response.on("error", reject);
      });
      asked.end(body && JSON.stringify(body));
    },
  );
}

const body = { prompt: "abc", max_tokens: 150, seed: 7, ignore_eos: true };

describe("a server that crashes", { skip: process.platform === "win32" && "needs POSIX signals" }, () => {
  for (const signal of ["SIGSEGV", "SIGABRT", "SIGKILL"] as const)
    test(`by ${signal} is started again; its port stays bound, its jobs and keyed requests go on`, async () => {
      const server = await start();
      const { port } = server;
      const undisturbed = JSON.parse((await ask(port, "POST", "/generate", body)).body).generated;
      const job = JSON.parse((await ask(port, "POST", "/jobs", { ...body, n: 4 })).body).id as string;
      const keyed = () => ask(port, "POST", "/generate", body, { "idempotency-key": `of-${signal}` });
      // It is cut off by the crash, or just before it.
      const cut = keyed().catch(() => null);

      const crashed = childOf(server.pid);
      process.kill(crashed, signal);
      await until(() =>
        server.output.includes(`the server was ended by ${signal}; it starts again in 0.5 s`),
      );
      await cut;
      const statuses = new Set<number>();
      await until(async () => {
        for (const [method, path] of [
          ["GET", "/health"],
          ["POST", "/generate"],
          ["POST", "/v1/completions"],
        ] as const) {
          const {
            status,
            headers,
            body: text,
          } = await ask(port, method, path, method === "POST" ? body : undefined);
          statuses.add(status);
          if (status !== 503) continue;
          assert.match(String(headers["retry-after"]), /^[1-9]\d*$/);
          assert.match(String(headers["x-request-id"]), /^[0-9a-f-]{36}$/);
          const { detail, error } = JSON.parse(text);
          if (path.startsWith("/v1")) assert.equal(error.code, "model_loading");
          else assert.equal(detail, "The model is loading");
        }
        return (await ask(port, "GET", "/health")).body.includes('"model_loaded":true');
      });
      assert.ok(statuses.has(503));
      assert.ok(
        [...statuses].every((status) => [200, 503].includes(status)),
        [...statuses].join(),
      );
      assert.notEqual(childOf(server.pid), crashed);

      assert.equal(JSON.parse((await keyed()).body).generated, undisturbed);
      let ended: { state: string; result: { choices: { generated: string }[] } };
      do ended = JSON.parse((await ask(port, "GET", `/jobs/${job}`)).body);
      while (ended.state !== "done");
      assert.equal(ended.result.choices[0]!.generated, undisturbed);
      // The next child's socket is the same, too.
      process.kill(childOf(server.pid), signal);
      await until(() => server.output.includes("it starts again in 1 s"));
      assert.equal((await ask(port, "GET", "/health")).status, 503);
      assert.equal((await server.stop()).code, 0);
    });

  test("is not started again once it was told to stop", async () => {
    const server = await start();
    const child = childOf(server.pid);
    const streaming = server
      .stream("/generate", { ...body, max_tokens: 1_000_000 }, () => {})
      .catch(() => null);
    await isRunning(server);
    server.kill("SIGTERM");
    await until(() => server.output.includes("stopping on SIGTERM"));
    process.kill(child, "SIGSEGV");
    const { code, output } = await server.exit;
    await streaming;
    assert.equal(code, 128 + 11);
    assert.doesNotMatch(output, /starts again/);
  });
});

describe("signals", { skip: process.platform === "win32" && "needs POSIX signals" }, () => {
  test("a stop drains the child, and its status is the parent's", async () => {
    const server = await start();
    const child = childOf(server.pid);
    const running = server.request("POST", "/generate", body).catch(() => null);
    const { code, output } = await server.stop();
    assert.deepEqual([code, isAlive(child)], [0, false]);
    assert.match(output, /stopping on SIGTERM: .*\n(.*\n)*.*stopped\n$/);
    await running;
  });

  test("a second signal ends both at once", async () => {
    const server = await start();
    const streaming = server
      .stream("/generate", { ...body, max_tokens: 1_000_000 }, () => {})
      .catch(() => null);
    await isRunning(server);
    server.kill("SIGINT");
    await until(() => server.output.includes("stopping on SIGINT"));
    server.kill("SIGTERM");
    assert.equal((await server.exit).code, 128 + 15);
    await streaming;
  });

  test("a child whose parent is killed ends", async () => {
    const server = await start();
    const child = childOf(server.pid);
    server.kill("SIGKILL");
    await until(() => !isAlive(child));
    assert.match((await server.exit).output, /stopped\n$/);
  });
});

describe("a start that fails for a reason is not tried again", () => {
  const failed = async (args: string[], environment: Record<string, string> = {}) => {
    const server = await ServerProcess.start(["--restart", "on", ...args], environment);
    return server.exit;
  };

  test("wrong usage, a wrong value, a missing model", async () => {
    for (const [args, code, said] of [
      [["--prot", "1"], 2, /^jai serve: Unknown option '--prot' .*\n$/],
      [["--port", "x"], 1, /^--port: expected an integer .*\n$/],
      [["--model", join(folder, "nothing")], 1, /^.*nothing.*\n$/],
    ] as const) {
      const exit = await failed([...args]);
      assert.equal(exit.code, code);
      assert.match(exit.output, said);
    }
  });

  test("a taken port", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    const { code, output } = await failed(["--model", model], { JAI_PORT: String(port) });
    assert.equal(code, 1);
    assert.match(output, /cannot listen on 127\.0\.0\.1:\d+: the port is taken/);
    other.close();
  });
});

test("after five crashes within five minutes the sixth one ends it, with the child's status", async () => {
  const script = join(folder, "crash.cjs");
  writeFileSync(script, 'process.kill(process.pid, "SIGABRT"); setInterval(() => {}, 1000);');
  const lines: string[] = [];
  const log = logTo(lines);
  const parent = new Parent({ script, args: [], drainSeconds: 1, log, firstPauseMs: 1 });
  assert.equal(await parent.ended, 128 + 6);
  assert.deepEqual(lines, [
    ...[1, 2, 4, 8, 16].map((ms) => `the server was ended by SIGABRT; it starts again in ${ms / 1000} s`),
    "the server was ended by SIGABRT, 6 times within 300 s: it is not started again",
  ]);
});

test("V8's end for lack of memory counts as a crash, and a status above 2 too", async () => {
  const script = join(folder, "memory.cjs");
  writeFileSync(
    script,
    `const { writeFileSync, existsSync } = require("node:fs");
    const [, , seen] = process.argv;
    if (existsSync(seen + 2)) process.exit(0);
    if (existsSync(seen)) { writeFileSync(seen + 2, ""); process.exit(70); }
    writeFileSync(seen, "");
    const all = []; for (;;) all.push(new Array(1000).fill({}));`,
  );
  const lines: string[] = [];
  const log = logTo(lines);
  process.env.NODE_OPTIONS = "--max-old-space-size=30";
  const parent = new Parent({ script, args: [join(folder, "seen")], drainSeconds: 1, log, firstPauseMs: 1 });
  assert.equal(await parent.ended, 0);
  assert.match(lines[0]!, /^the server was ended by SIG(ABRT|TRAP|ILL); it starts again in/);
  assert.match(lines[1]!, /^the server ended with status 70; /);
});

describe("the port", { skip: process.platform === "win32" && "needs POSIX signals" }, () => {
  /** A child's beginning: it listens on the socket that it gets, or on one of its own, and then does what `then` says. */
  const child = (name: string, then: string) => {
    const script = join(folder, `${name}.cjs`);
    writeFileSync(
      script,
      `const server = require("node:net").createServer();
      const listen = (socket) => server.listen(socket ?? { port: 0, host: "127.0.0.1" }, () => {
        const keep = (done) => process.send("keep", server._handle, done);
        const first = socket === undefined;
        const die = () => process.kill(process.pid, "SIGKILL");
        if (first) require("node:fs").writeFileSync(process.argv[2], String(server.address().port));
        ${then}
      });
      process.once("message", (_take, socket) => listen(socket));
      process.send("take");`,
    );
    return script;
  };

  const crash = async (name: string, then: string, crashes: number) => {
    const port = join(folder, `${name}.port`);
    const lines: string[] = [];
    const told: string[] = [];
    const log = { ...logTo(lines), info: (line: string) => void told.push(line) };
    const script = child(name, then);
    // The pause after the last crash is long, so that this process answers.
    const parent = new Parent({ script, args: [port], drainSeconds: 1, log, firstPauseMs: 500 });
    await until(() => lines.length === crashes);
    const at = Number(readFileSync(port, "utf8"));
    const { status } = await ask(at, "GET", "/health");
    const { headers } = await ask(at, "POST", "/generate", { prompt: "x" });
    parent.stop("SIGTERM");
    assert.equal(status, 503);
    assert.deepEqual(told, [`${headers["x-request-id"]} - POST /generate: 503, The model is loading`]);
    assert.equal(await parent.ended, 0);
  };

  test("stays bound when a child crashes between it got the socket and told so", async () => {
    await crash("between", "first ? keep(die) : die()", 2);
  });
});
