// `jai ps` and `jai top`.
import assert from "node:assert/strict";
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { serveStandIn } from "../fixtures/stand-in.js";
import { Callers } from "../keys/callers.js";
import { hashKey, unlimited } from "../settings/key.js";
import { answersJson, serveOther } from "./fixtures/other-server.js";
import { atTerminal, noTerminal } from "./fixtures/pseudo-terminal.js";
import { busy, idle, serveStatus } from "./fixtures/status-server.js";

const cli = fileURLToPath(new URL("../cli.js", import.meta.url));
const env = { PATH: process.env.PATH };
const jai = (...args: string[]) => promisify(execFile)(process.execPath, [cli, ...args], { env });

function topOnPipe(context: TestContext, ...args: string[]) {
  const child = spawn(process.execPath, [cli, "top", ...args], { env });
  context.after(() => child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    line: async () => (await lines.next()).value as string,
    end: once(child, "close").then(([status]) => status as number),
  };
}

test("ps prints what the server does, with --json the status itself", async (context) => {
  const { url } = await serveStatus(context, busy);
  const { stdout } = await jai("ps", "--url", url);
  assert.match(stdout, /^한글-small · .*\nslots +2 of 3 busy/);
  assert.match(stdout, /^jobs +0 queued, 0 running, /m);
  assert.match(stdout, /^ +2 .*한글\\u\{1b\}\[2J \(yours\)$/m);
  assert.ok(!stdout.includes("\u001b"));
  assert.deepEqual(JSON.parse((await jai("ps", "--url", url, "--json")).stdout), busy);
});

test("ps reads the status of a real server, with the requests that wait", async (context) => {
  const { url, jobs, post, until, queue } = await serveStandIn(context, { hold: true, slots: 1 });
  const first = post("/generate", { prompt: "one" });
  await until(() => jobs.length === 1);
  const second = post("/generate", { prompt: "two", priority: 3 });
  while (queue.waiting === 0) await new Promise(setImmediate);
  const { stdout } = await jai("ps", "--url", url);
  assert.match(stdout, /^stand-in · int8, context 64 · /);
  assert.match(stdout, /^queue +1 running, 1 waiting of at most 4$/m);
  assert.match(stdout, /^ +1 +\d\.\d s +\S.* +1 +3 +\S+$/m);
  assert.doesNotMatch(stdout, /undefined|NaN|yours/);
  for (const job of jobs) job.finish();
  await (await first).text();
  await until(() => jobs.length === 2);
  jobs[1]!.finish();
  await (await second).text();
});

test("top reads the events of a real server", async (context) => {
  const { url } = await serveStandIn(context);
  const { line, child, end } = topOnPipe(context, "--url", url);
  assert.match(await line(), /^\d\d:\d\d:\d\d healthy 0 tokens\/s, 0 running, 0 waiting, TTFT -, ITL -$/);
  child.kill("SIGINT");
  assert.equal(await end, 0);
});

test("a server without a status is told in one line, exit status 1", async (context) => {
  const old = createServer((_req, res) => void res.writeHead(404).end('{"detail":"Not Found"}')).listen(
    0,
    "127.0.0.1",
  );
  await once(old, "listening");
  context.after(() => void old.close().closeAllConnections());
  const url = `http://127.0.0.1:${(old.address() as { port: number }).port}`;
  for (const command of ["ps", "top"])
    await assert.rejects(jai(command, "--url", url), {
      code: 1,
      stdout: "",
      stderr: `expected a server with a status at ${url}/, got one of an earlier version\n`,
    });
});

for (const [path, answer, ...commands] of [
  ["/status", {}, "ps"],
  ["/status", { status: "ok", workers: 4, queue: {} }, "ps"],
  ["/status", { ...idle, cache: null }, "ps"],
  ["/jobs", {}, "jobs"],
  ["/jobs", { jobs: [null] }, "jobs"],
  ["/jobs", { jobs: [{ id: 1 }] }, "jobs"],
  ["/jobs/x", { name: "build" }, "jobs", "show", "x"],
] as const) {
  test(`jai ${commands.join(" ")} says that ${path} of ${JSON.stringify(answer).slice(0, 40)} is another program's`, async (context) => {
    const url = await serveOther(context, answersJson({ [path]: answer }));
    await assert.rejects(jai(...commands, "--url", url), {
      code: 1,
      stdout: "",
      stderr: `expected a jai-server at ${url}, got answers of another kind\n`,
    });
  });
}

test("top says that the status of another program is none", async (context) => {
  const url = await serveOther(context, (_req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write('event: status\ndata: {"status":"ok"}\n\n');
  });
  await assert.rejects(jai("top", "--url", url), {
    code: 1,
    stderr: `expected a jai-server at ${url}, got answers of another kind\n`,
  });
});

test("jobs ends at an empty page, though it names a next one", async (context) => {
  const url = await serveOther(context, answersJson({ "/jobs": { jobs: [], next_cursor: "x" } }));
  assert.equal((await jai("jobs", "--url", url)).stdout, "no jobs\n");
});

test("a job's texts of another server's can't steer the terminal", async (context) => {
  const id = "\u001b[2J";
  const job = { id, state: "done\u009b1m", endpoint: "/x\u202e", created_at: "\u001b]0;x\u0007" };
  const url = await serveOther(context, answersJson({ "/jobs": { jobs: [job] }, "/jobs/x": job }));
  const shown = [
    await jai("jobs", "--url", url),
    await jai("jobs", "show", "x", "--url", url),
    await jai("jobs", "cancel", "x", "--url", url).catch(
      (error: { stdout: string; stderr: string }) => error,
    ),
  ];
  for (const { stdout, stderr } of shown)
    assert.doesNotMatch(`${stdout}${stderr}`.replaceAll("\n", ""), /[\p{Cc}\p{Cf}]/u);
});

test("a server that asks for a key is told in one line, with where to put it", async (context) => {
  const callers = new Callers([{ name: "web", hash: hashKey("one"), priority: 0, limits: unlimited }]);
  const { url } = await serveStandIn(context, { callers });
  for (const command of ["ps", "top", "jobs"])
    await assert.rejects(jai(command, "--url", url), {
      code: 1,
      stderr: /^the server answered 401: .*; here JAI_API_KEY or --key takes it\n$/,
    });
  assert.match((await jai("ps", "--url", url, "--key", "one")).stdout, /^stand-in/);
});

test("top on a pipe prints a line for each status, and ends with 0 by SIGINT", async (context) => {
  const { url, push, viewers, until } = await serveStatus(context);
  const { child, line, end } = topOnPipe(context, "--url", url);
  assert.equal(await line(), "12:00:01 healthy 0 tokens/s, 0 running, 0 waiting, TTFT -, ITL -");
  push(busy);
  assert.equal(await line(), "12:00:01 healthy 812 tokens/s, 2 running, 5 waiting, TTFT 12 ms, ITL 1.2 ms");
  child.kill("SIGINT");
  assert.equal(await end, 0);
  await until(() => viewers.size === 0);
});

test("top --json prints one object for each status", async (context) => {
  const { url, push } = await serveStatus(context);
  const { line } = topOnPipe(context, "--url", url, "--json");
  assert.deepEqual(JSON.parse(await line()), idle);
  push(busy);
  assert.deepEqual(JSON.parse(await line()), busy);
});

test("top connects again after a lost connection", async (context) => {
  const { url, drop } = await serveStatus(context);
  const { line } = topOnPipe(context, "--url", url);
  await line();
  drop();
  assert.match(await line(), /^12:00:01 healthy/);
});

for (const key of ["q", "\u0003"]) {
  test(`top at a terminal uses the alternate screen, and ${JSON.stringify(key)} restores the usual one`, {
    skip: noTerminal,
  }, async (context) => {
    const { url, push } = await serveStatus(context);
    const terminal = atTerminal(context, ["top", "--url", url]);
    await terminal.until("q ends");
    push(busy);
    await terminal.until("(yours)");
    terminal.type(key);
    assert.equal(await terminal.end, 0);
    const output = terminal.output();
    assert.ok(output.startsWith("\u001b[?1049h\u001b[?25l\u001b[H"));
    assert.ok(output.endsWith("\u001b[?25h\u001b[?1049l"));
    assert.ok(!output.includes("\u001b[2J"));
  });
}

test("top takes a terminal that says a size of 0 for one of the usual size", {
  skip: noTerminal,
}, async (context) => {
  const { url } = await serveStatus(context);
  const terminal = atTerminal(context, ["top", "--url", url], {}, { columns: 0, rows: 0 });
  await terminal.until("healthy");
  await terminal.until("q ends");
  terminal.type("q");
  assert.equal(await terminal.end, 0);
});

test("jobs lists, shows, cancels and removes jobs", async (context) => {
  const { url, jobs, post, until } = await serveStandIn(context, { hold: true });
  assert.equal((await jai("jobs", "--url", url)).stdout, "no jobs\n");
  const accepted = await post("/jobs", { prompt: "one", max_tokens: 3 });
  const { id } = (await accepted.json()) as { id: string };
  await until(() => jobs.length === 1);
  const run = (...args: string[]) => jai("jobs", ...args, "--url", url);
  assert.match((await run()).stdout, new RegExp(`^ID +STATE .*\n${id} +running +/generate +\\d\\.\\d s ago`));
  assert.equal((await run("--state", "done")).stdout, "no jobs\n");
  await assert.rejects(run("remove", id), {
    code: 1,
    stderr: "the job is running; jai jobs cancel ends it\n",
  });
  assert.equal((await run("cancel", id)).stdout, `cancelled ${id}\n`);
  assert.match((await run("show", id)).stdout, /^state +cancelled$/m);
  await assert.rejects(run("cancel", id), { code: 1, stderr: "the job has ended already: cancelled\n" });
  await assert.rejects(run("remove", id), {
    code: 1,
    stderr: /^a cancelled job can't be removed; the server drops it at 20.*\n$/,
  });
  const second = (await (await post("/jobs", { prompt: "two", max_tokens: 3 })).json()) as { id: string };
  await until(() => jobs.length === 2);
  jobs[1]!.finish();
  await (await fetch(`${url}/jobs/${second.id}/events`)).text();
  assert.equal((await run("remove", second.id)).stdout, `removed ${second.id}\n`);
  await assert.rejects(run("show", second.id), {
    code: 1,
    stderr: "the server answered 404: There is no such job\n",
  });
});

test("jobs show prints the answer, and more jobs than one page are listed", async (context) => {
  const { url, post } = await serveStandIn(context);
  const ids: string[] = [];
  for (let at = 0; at < 102; at++) {
    const answer = await post("/jobs", { prompt: "one", max_tokens: 3 });
    ids.push(((await answer.json()) as { id: string }).id);
  }
  const events = await fetch(`${url}/jobs/${ids[0]}/events`);
  await events.text();
  assert.match((await jai("jobs", "show", ids[0]!, "--url", url)).stdout, /\n\n!!!\n$/);
  const { stdout } = await jai("jobs", "--json", "--limit", "101", "--url", url);
  const listed = JSON.parse(stdout);
  assert.deepEqual(
    listed.jobs.map(({ id }: { id: string }) => id),
    ids.toReversed().slice(0, 101),
  );
  assert.ok(listed.next_cursor);
});

for (const args of [
  ["jobs", "shwo", "x"],
  ["jobs", "show"],
  ["jobs", "list", "x"],
  ["jobs", "--state", "over"],
  ["jobs", "--limit", "0"],
  ["ps", "x"],
  ["top", "x"],
]) {
  test(`jai ${args.join(" ")} is wrong usage`, () => {
    const { status, stderr } = spawnSync(process.execPath, [cli, ...args], { encoding: "utf8", env });
    assert.equal(status, 2);
    assert.match(stderr, /^jai (jobs|ps|top): .*; see jai \w+ --help\n$/);
  });
}
