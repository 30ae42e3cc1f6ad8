import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../../ops/jai.sh", import.meta.url));
const skip = process.platform === "win32" && "needs POSIX";

/** Answers /health and /ready like the server, at first as loading. Ends 300 ms after SIGTERM, as if it had requests to finish. */
const standIn = `
import { createServer } from "node:http";
console.log("started in " + process.cwd() + " with stride " + process.env.JAI_CONTEXT_STRIDE);
if (process.env.JAI_LOG_LEVEL === "error") { console.error("JAI_LOG_LEVEL: the stand-in fails"); process.exit(1); }
let asked = 0;
const server = createServer(({ url }, response) => {
  const isReady = process.env.JAI_MODEL !== "large" && asked > 1;
  if (url === "/health") response.end(JSON.stringify({ model_loaded: isReady }));
  else if (url === "/ready") {
    asked++;
    response.statusCode = isReady ? 200 : 503;
    response.end(JSON.stringify(isReady ? { status: "ready" } : { detail: "the model is loading" }));
  } else {
    response.statusCode = 404;
    response.end();
  }
});
server.listen(Number(process.env.JAI_PORT), process.env.JAI_HOST);
process.on("SIGTERM", () => {
  console.log("draining");
  setTimeout(() => { console.log("drained"); process.exit(0); }, 300);
});
`;

interface Installation {
  root: string;
  env: NodeJS.ProcessEnv;
  run(args: string[], options?: { script?: string; cwd?: string; env?: NodeJS.ProcessEnv }): Promise<Result>;
}

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

/** Copies the script into a folder of its own, with a blank in its name and a stand-in for the server. */
async function install(t: TestContext): Promise<Installation> {
  const root = join(mkdtempSync(join(tmpdir(), "jai-ops-")), "jai server");
  for (const folder of ["ops", "dist/server"]) mkdirSync(join(root, folder), { recursive: true });
  writeFileSync(join(root, "package.json"), '{ "type": "module" }');
  copyFileSync(script, join(root, "ops/jai.sh"));
  writeFileSync(join(root, "ops/prepare.mjs"), 'console.log("prepared");');
  writeFileSync(join(root, "dist/server/cli.js"), standIn);
  const env = {
    PATH: process.env.PATH,
    JAI_HOST: "127.0.0.1",
    JAI_PORT: String(await freePort()),
  };
  const run: Installation["run"] = (args, options = {}) =>
    new Promise((resolve) => {
      execFile(
        options.script ?? join(root, "ops/jai.sh"),
        args,
        { cwd: options.cwd ?? "/", env: { ...env, ...options.env } },
        (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });
  t.after(async () => {
    await run(["stop"]);
    rmSync(dirname(root), { recursive: true });
  });
  return { root, env, run };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

test("start waits until the model is loaded; then status, a second start, stop and status work", {
  skip,
}, async (t) => {
  const { run, env, root } = await install(t);
  const url = `http://127.0.0.1:${env.JAI_PORT}`;

  const started = await run(["start"]);
  assert.equal(started.code, 0, started.stderr);
  assert.match(started.stdout, new RegExp(`^prepared\njai-server runs \\(pid \\d+, ${url}\\)\n$`));
  assert.deepEqual(await (await fetch(`${url}/health`)).json(), { model_loaded: true });

  const again = await run(["start"]);
  assert.equal(again.code, 0);
  assert.match(again.stdout, /^jai-server runs already/);

  const status = await run(["status"], { env: { JAI_PORT: "1" } });
  assert.equal(status.code, 0);
  assert.match(status.stdout, new RegExp(`pid \\d+, ${url}\\)\n{"model_loaded":true}\n$`));

  const stopped = await run(["stop"]);
  assert.equal(stopped.code, 0);
  assert.match(stopped.stdout, /has stopped\n$/);
  assert.match(readFileSync(join(root, ".run/jai-server.log"), "utf8"), /draining\ndrained\n$/);

  const gone = await run(["status"]);
  assert.deepEqual([gone.code, gone.stdout], [3, "jai-server does not run\n"]);
  assert.equal((await run(["stop"])).stdout, "jai-server does not run\n");
});

test("it works through a relative link, from any folder, in the package's folder", { skip }, async (t) => {
  const { run, root } = await install(t);
  mkdirSync(join(root, "bin"));
  symlinkSync("../ops/jai.sh", join(root, "bin/link"));
  const started = await run(["start"], { script: join(root, "bin/link"), cwd: tmpdir() });
  assert.equal(started.code, 0, started.stderr);
  assert.match((await run(["logs"])).stdout, /^started in .*\/jai server with stride undefined\n/);
});

test("restart replaces the server", { skip }, async (t) => {
  const { run } = await install(t);
  const pid = async () => /pid (\d+)/.exec((await run(["status"])).stdout)?.[1];
  assert.equal((await run(["restart"])).code, 0);
  const first = await pid();
  const restarted = await run(["restart"]);
  assert.equal(restarted.code, 0, restarted.stderr);
  assert.match(restarted.stdout, /has stopped\nprepared\njai-server runs/);
  assert.notEqual(await pid(), first);
});

test("restart keeps the address that the start had from the environment, and wants its other settings again", {
  skip,
}, async (t) => {
  const { run, root, env } = await install(t);
  const address = { JAI_HOST: undefined, JAI_PORT: undefined };
  const port = env.JAI_PORT;
  writeFileSync(join(root, "ops/jai.env"), "JAI_PORT=1\n");
  assert.equal((await run(["start"], { env: { JAI_CONTEXT_STRIDE: "7" } })).code, 0);

  const refused = await run(["restart"], { env: address });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /the running server had JAI_CONTEXT_STRIDE from the environment of its start/);
  assert.match((await run(["status"], { env: address })).stdout, new RegExp(`:${port}\\)`));

  const stride = { JAI_CONTEXT_STRIDE: "8" };
  for (let restarts = 0; restarts < 2; restarts++) {
    const restarted = await run(["restart"], { env: { ...address, ...stride } });
    assert.equal(restarted.code, 0, restarted.stderr);
    assert.match(restarted.stdout, new RegExp(`keeps JAI_PORT=${port}, which its start had`));
    assert.match(restarted.stdout, new RegExp(`runs \\(pid \\d+, http://127\\.0\\.0\\.1:${port}\\)\n$`));
  }
  assert.match((await run(["logs"])).stdout, /with stride 8\n/);

  // What the environment or jai.env says now wins.
  writeFileSync(join(root, "ops/jai.env"), "JAI_CONTEXT_STRIDE=9\n");
  const moved = { ...address, JAI_PORT: String(await freePort()) };
  const restarted = await run(["restart"], { env: moved });
  assert.equal(restarted.code, 0, restarted.stderr);
  assert.match(restarted.stdout, new RegExp(`:${moved.JAI_PORT}\\)\n$`));
  assert.match((await run(["logs"])).stdout, /with stride 9\n/);
  assert.match((await run(["stop"], { env: address })).stdout, /has stopped\n$/);
});

test("a port from jai.env is not kept: restart moves the server to the new one", { skip }, async (t) => {
  const { run, root, env } = await install(t);
  const ports = [env.JAI_PORT, String(await freePort())];
  for (const port of ports) {
    writeFileSync(join(root, "ops/jai.env"), `JAI_PORT=${port}\n`);
    const restarted = await run(["restart"], { env: { JAI_PORT: undefined } });
    assert.equal(restarted.code, 0, restarted.stderr);
    assert.match(restarted.stdout, new RegExp(`:${port}\\)\n$`));
  }
});

test("a server that does not get ready is told with what /ready answers", { skip }, async (t) => {
  const { run, root } = await install(t);
  const impatient = join(root, "ops/impatient.sh");
  copyFileSync(script, impatient);
  writeFileSync(impatient, readFileSync(script, "utf8").replace("START_SECONDS=600", "START_SECONDS=1"));
  const { code, stderr } = await run(["start"], { script: impatient, env: { JAI_MODEL: "large" } });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /not ready after 1 s: http:\/\/\S+\/ready answers {"detail":"the model is loading"}; see .*jai-server\.log\n$/,
  );
  // It may get ready later.
  assert.equal((await run(["status"])).code, 0);
});

test("stop ends a server that is still loading its model, and the start that waits for it", {
  skip,
}, async (t) => {
  const { run, root } = await install(t);
  const start = run(["start"], { env: { JAI_MODEL: "large" } });
  while (!(await run(["status"])).stdout.includes('"model_loaded":false'));
  assert.match((await run(["start"])).stdout, /^jai-server runs already/);
  const stopped = await run(["stop"]);
  assert.equal(stopped.code, 0, stopped.stderr);
  assert.match(stopped.stdout, /has stopped\n$/);
  const { code, stderr } = await start;
  assert.equal(code, 1);
  assert.match(stderr, /did not start; .*\n.*\ndraining\ndrained\n$/);
  assert.equal(existsSync(join(root, ".run/jai-server.pid")), false);
  assert.deepEqual(readdirSync(join(root, ".run")), ["jai-server.log"]);
});

test("the lock keeps others out while its owner lives, and is taken over once the owner is dead", {
  skip,
}, async (t) => {
  const { run, root, env } = await install(t);
  const prepare = join(root, "ops/prepare.mjs");
  writeFileSync(prepare, 'console.log("preparing"); setInterval(() => {}, 1000);');
  // A process group of its own, so that its children can be killed with it.
  const owner = spawn(join(root, "ops/jai.sh"), ["start"], { env, detached: true });
  await once(owner.stdout, "data");
  for (const command of ["start", "stop", "restart"]) {
    const refused = await run([command]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /another .*jai\.sh is at work here/);
  }
  process.kill(-owner.pid!, "SIGKILL");
  await once(owner, "close");
  writeFileSync(prepare, "");
  const started = await run(["start"]);
  assert.equal(started.code, 0, started.stderr);
  assert.deepEqual(readdirSync(join(root, ".run")), ["jai-server.log", "jai-server.pid"]);
});

test("a server that dies while it starts is reported with the end of its log", { skip }, async (t) => {
  const { run, root } = await install(t);
  const failed = await run(["start"], { env: { JAI_LOG_LEVEL: "error" } });
  assert.equal(failed.code, 1);
  assert.match(
    failed.stderr,
    /did not start; the end of .*jai-server\.log:\nstarted in .*\nJAI_LOG_LEVEL: the stand-in fails\n$/,
  );
  assert.equal(existsSync(join(root, ".run/jai-server.pid")), false);
  assert.equal((await run(["status"])).code, 3);
});

test("another program that answers on the port is not mistaken for the server", { skip }, async (t) => {
  const { run, env } = await install(t);
  const other = createServer((_request, response) => response.end('{"model_loaded":true}'));
  other.listen(Number(env.JAI_PORT), "127.0.0.1");
  await once(other, "listening");
  t.after(() => other.close());
  const refused = await run(["start"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /something else answers at http:\/\/127\.0\.0\.1:\d+ already/);
  assert.equal((await run(["status"])).code, 3);
});

test("a pid file whose id now belongs to another process is stale, and that process is left alone", {
  skip,
}, async (t) => {
  const { run, root } = await install(t);
  const bystander = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  t.after(() => bystander.kill());
  mkdirSync(join(root, ".run"));
  writeFileSync(join(root, ".run/jai-server.pid"), `${bystander.pid}\n12345\nhttp://127.0.0.1:1\n`);
  assert.equal((await run(["status"])).code, 3);
  assert.equal((await run(["stop"])).stdout, "jai-server does not run\n");
  assert.equal(bystander.exitCode ?? bystander.signalCode, null);
  assert.equal((await run(["start"])).code, 0);
});

test("a pid file with garbage is stale", { skip }, async (t) => {
  const { run, root } = await install(t);
  mkdirSync(join(root, ".run"));
  for (const garbage of ["", "x", "1\n\n\n", "-1\n-1\n-1\n", "$(id)\n`id`\n;\n"]) {
    writeFileSync(join(root, ".run/jai-server.pid"), garbage);
    assert.equal((await run(["status"])).code, 3, JSON.stringify(garbage));
  }
});

test("jai.env sets what the environment does not, and is never executed", { skip }, async (t) => {
  const { run, root, env } = await install(t);
  writeFileSync(
    join(root, "ops/jai.env"),
    `# comment\n\nJAI_CONTEXT_STRIDE="$(touch owned) 7"\nJAI_PORT=1\nJAI_HOST='127.0.0.1'`,
  );
  const started = await run(["start"]);
  assert.equal(started.code, 0, started.stderr);
  assert.match(started.stdout, new RegExp(`:${env.JAI_PORT}\\)`));
  assert.match((await run(["logs"])).stdout, /with stride \$\(touch owned\) 7\n/);
  assert.equal(existsSync(join(root, "owned")), false);

  writeFileSync(join(root, "ops/jai.env"), "export JAI_PORT=1\n");
  const refused = await run(["restart"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /ops\/jai\.env: expected NAME=VALUE, got: export JAI_PORT=1/);
  // The server still runs, and the cleanup must be able to stop it.
  rmSync(join(root, "ops/jai.env"));
});

test("stop and status work whatever jai.env contains by then; restart refuses before it stops", {
  skip,
}, async (t) => {
  const { run, root } = await install(t);
  const started = await run(["start"]);
  assert.equal(started.code, 0, started.stderr);
  for (const text of ["export JAI_PORT=1\n", "\r\n", "=\n", "\0\n", "JAI_DRAIN_SECONDS=never\n"]) {
    writeFileSync(join(root, "ops/jai.env"), text);
    const status = await run(["status"]);
    assert.deepEqual([status.code, status.stderr], [0, ""], JSON.stringify(text));
  }
  writeFileSync(join(root, "ops/jai.env"), "export JAI_PORT=1\n");
  assert.equal((await run(["restart"])).code, 1);
  assert.equal((await run(["status"])).code, 0);
  const stopped = await run(["stop"]);
  assert.equal(stopped.code, 0, stopped.stderr);
  assert.match(stopped.stdout, /has stopped\n$/);
});

test("stop waits as long as the running server may drain", { skip }, async (t) => {
  const { run, root } = await install(t);
  writeFileSync(join(root, "ops/jai.env"), "JAI_DRAIN_SECONDS=7\n");
  assert.equal((await run(["start"])).code, 0);
  writeFileSync(join(root, "ops/jai.env"), "JAI_DRAIN_SECONDS=8\n");
  assert.match((await run(["stop"])).stdout, /, 7 s at most/);
});

test("jai.env may have Windows line ends, and blanks where systemd allows them", {
  skip,
}, async (t) => {
  const { run, root } = await install(t);
  writeFileSync(
    join(root, "ops/jai.env"),
    '\ufeffJAI_LOG_FORMAT=json\r\n\r\n; comment\r\n  JAI_CONTEXT_STRIDE = 7 \t\r\nJAI_DATA_DIR="/x/a b"\r\n',
  );
  writeFileSync(
    join(root, "dist/server/cli.js"),
    `${standIn}\nconsole.log(JSON.stringify(Object.entries(process.env).filter(([name]) => name.startsWith("JAI_"))));`,
  );
  const started = await run(["start"]);
  assert.equal(started.code, 0, started.stderr);
  const line = (await run(["logs"])).stdout.split("\n").find((one) => one.startsWith("[["))!;
  const { JAI_HOST: _host, JAI_PORT: _port, ...others } = Object.fromEntries(JSON.parse(line));
  assert.deepEqual(others, { JAI_LOG_FORMAT: "json", JAI_CONTEXT_STRIDE: "7", JAI_DATA_DIR: "/x/a b" });
});

test("a server started by a package's script outlives that script's shell", { skip }, async (t) => {
  const { run, root } = await install(t);
  writeFileSync(
    join(root, "dist/server/cli.js"),
    `${standIn}\nconsole.log("script: " + process.env.npm_lifecycle_event);`,
  );
  const started = await run(["start"], { env: { npm_lifecycle_event: "background" } });
  assert.equal(started.code, 0, started.stderr);
  assert.match((await run(["logs"])).stdout, /^script: undefined$/m);
});

test("the server starts again after a crash, unless jai.env or the environment says otherwise", {
  skip,
}, async (t) => {
  const { run, root } = await install(t);
  const shown = `${standIn}\nconsole.log("arguments: " + process.argv.slice(2).join(" "));`;
  writeFileSync(join(root, "dist/server/cli.js"), shown);
  const started = async (env: NodeJS.ProcessEnv = {}) => {
    assert.equal((await run(["restart"], { env })).code, 0);
    return /^arguments: (.*)$/m.exec((await run(["logs"])).stdout)![1];
  };
  assert.equal(await started(), "serve --restart on");
  writeFileSync(join(root, "ops/jai.env"), "JAI_RESTART=off\n");
  assert.equal(await started(), "serve --restart off");
  assert.equal(await started({ JAI_RESTART: "on" }), "serve --restart on");
});

test("a port that changes at each start is refused", { skip }, async (t) => {
  const { run } = await install(t);
  assert.match(
    (await run(["start"], { env: { JAI_PORT: "0" } })).stderr,
    /JAI_PORT: expected a port of your choice, got 0/,
  );
});

test("wrong usage has exit status 2", { skip }, async (t) => {
  const { run } = await install(t);
  for (const args of [[], ["launch"], ["start", "--port"], ["logs", "-f", "x"], ["status", "x"]])
    assert.equal((await run(args)).code, 2, args.join(" "));
});
