import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../jobs/fixture.js";
import { Store } from "./store.js";

const modules = {
  folder: new URL("./data-folder.js", import.meta.url),
  state: new URL("./state-folder.js", import.meta.url),
};

interface Opened {
  path?: string;
  temporary?: boolean;
  error?: string;
  lines: string[];
}

/**
 * Opens the data folder in a process with exactly this environment.
 * @param old the folder where version 0.1.0 kept jobs
 */
function open(
  environment: Record<string, string>,
  { port = 8000, dataDir = "auto", old = "/nowhere/data" } = {},
): Opened {
  const script = `
    const { openDataFolder } = await import(${JSON.stringify(modules.folder)});
    const lines = [];
    const at = (level) => (line) => lines.push(level + ": " + line);
    const log = { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug") };
    const options = ${JSON.stringify({ port, dataDir })};
    const result = await openDataFolder(options, log, ${JSON.stringify(old)}).catch((error) => ({ error: error.message }));
    console.log(JSON.stringify({ ...result, lines }));
  `;
  return JSON.parse(run(script, environment)) as Opened;
}

function run(script: string, environment: Record<string, string>): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    encoding: "utf8",
    env: environment,
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** The state folder on a platform, for a user whose home is /home/me. */
const stateFolderOn = (platform: string, environment: Record<string, string> = {}) =>
  JSON.parse(
    run(
      `Object.defineProperty(process, "platform", { value: ${JSON.stringify(platform)} });
       const { stateFolder } = await import(${JSON.stringify(modules.state)});
       console.log(JSON.stringify(await stateFolder()));`,
      { HOME: "/home/me", ...environment },
    ),
  ) as string | null;

test("the state folder follows each platform's convention", () => {
  assert.equal(stateFolderOn("linux"), "/home/me/.local/state/jai-server");
  assert.equal(stateFolderOn("linux", { XDG_STATE_HOME: "/state" }), "/state/jai-server");
  assert.equal(stateFolderOn("linux", { XDG_STATE_HOME: "state" }), null);
  assert.equal(stateFolderOn("linux", { HOME: "" }), null);
  assert.equal(stateFolderOn("darwin"), "/home/me/Library/Application Support/jai-server");
  assert.equal(stateFolderOn("win32", { LOCALAPPDATA: "/local" }), "/local/jai-server/Data");
  assert.equal(stateFolderOn("linux", { STATE_DIRECTORY: "/var/lib/a:/var/lib/b" }), "/var/lib/a");
});

test("each port has its own folder, accessible only to this user", (t) => {
  const home = temporaryFolder(t);
  for (const port of [8000, 8001]) {
    const { path, lines, temporary } = open({ HOME: home }, { port });
    assert.equal(path, join(home, ".local/state/jai-server", String(port)));
    assert.equal(statSync(path).mode & 0o777, 0o700);
    assert.equal(temporary, false);
    assert.deepEqual(lines, [`info: jobs are kept in ${path}`]);
  }
});

test("with JAI_DATA_DIR nothing is moved", async (t) => {
  const old = temporaryFolder(t);
  await (await Store.open(old)).close();
  assert.deepEqual(open({}, { dataDir: "/some/where", old }), {
    path: "/some/where",
    temporary: false,
    lines: ["info: jobs are kept in /some/where"],
  });
  assert.ok(existsSync(join(old, "jobs/CURRENT")));
});

test("port 0 gets a new folder at each start, and the log says that it doesn't last", async (t) => {
  const tmp = temporaryFolder(t);
  const old = temporaryFolder(t);
  await (await Store.open(old)).close();
  const first = open({ HOME: tmp, TMPDIR: tmp }, { port: 0, old });
  const second = open({ HOME: tmp, TMPDIR: tmp }, { port: 0 });
  assert.notEqual(first.path, second.path);
  assert.equal(first.temporary, true);
  assert.deepEqual(first.lines, [
    `info: port 0: jobs are kept in ${first.path}, which no later start looks into; JAI_DATA_DIR names one that lasts`,
    `warn: jobs of an earlier version stay in ${old}: port 0 has no folder that lasts; JAI_DATA_DIR=${old} serves them there`,
  ]);
});

test("a user without a home gets the same temporary folder at each start, and a warning", (t) => {
  const tmp = temporaryFolder(t);
  for (const [environment, reason] of [
    [{ HOME: "/dev/null/home" }, "/dev/null/home/.local/state/jai-server/8000: it is not a folder"],
    [{ HOME: "" }, "this user has no home folder"],
  ] as const) {
    const { path, temporary, lines } = open({ TMPDIR: tmp, ...environment });
    assert.equal(path, join(tmp, `jai-server-${process.getuid?.() ?? "user"}`, "8000"));
    assert.equal(temporary, false);
    assert.deepEqual(lines, [
      `warn: jobs are kept in ${path}, which a restart of the machine may empty (${reason}); JAI_DATA_DIR names a folder that lasts`,
    ]);
  }
});

test("a temporary folder that others own or can access is refused", (t) => {
  const cases: ((path: string, tmp: string) => void)[] = [
    (path) => {
      mkdirSync(path);
      chmodSync(path, 0o777);
    },
    (path, tmp) => {
      mkdirSync(join(tmp, "elsewhere"), { mode: 0o700 });
      symlinkSync("elsewhere", path);
    },
    (path) => writeFileSync(path, ""),
  ];
  for (const make of cases) {
    const tmp = temporaryFolder(t);
    make(join(tmp, `jai-server-${process.getuid?.()}`), tmp);
    const { error } = open({ HOME: "", TMPDIR: tmp });
    assert.match(
      error!,
      /^there is no folder to keep jobs in \(this user has no home folder; .*\); JAI_DATA_DIR names one$/,
    );
    if (existsSync(join(tmp, "elsewhere"))) assert.deepEqual(readdirSync(join(tmp, "elsewhere")), []);
  }
});

test("an existing but unusable folder is an error, not skipped", (t) => {
  const home = temporaryFolder(t);
  mkdirSync(join(home, ".local/state/jai-server"), { recursive: true });
  writeFileSync(join(home, ".local/state/jai-server/8000"), "");
  assert.equal(open({ HOME: home }).path, join(home, ".local/state/jai-server/8000"));
});
