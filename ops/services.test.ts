import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { environmentName, packageRoot, readConfig, settings } from "../server/settings/config.js";

const path = (name: string) => join(packageRoot, "ops", name);
const read = (name: string) => readFileSync(path(name), "utf8");
const has = (command: string) => spawnSync(command, ["--version"]).status === 0;
const drainSeconds = settings.drainSeconds.default;

test("jai.env.example lists every setting with its default, and nothing else", () => {
  const listed = Object.fromEntries(
    [...read("jai.env.example").matchAll(/^#?([A-Z_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
  );
  const known = Object.fromEntries(
    Object.values(settings).map((setting) => [
      environmentName(setting.flag),
      String(setting.default).replace(`${packageRoot}/`, ""),
    ]),
  );
  assert.deepEqual(listed, known);
});

test("each setting's comment in jai.env.example contains its description in the usage", () => {
  const said = new Map(
    [...read("jai.env.example").matchAll(/^((?:# .*\n)+)#(JAI_[A-Z_]+)=/gm)].map(([, comment, name]) => [
      name,
      comment!.replace(/^# /gm, "").replace(/\s+/g, " "),
    ]),
  );
  for (const { flag, description } of Object.values(settings)) {
    const comment = said.get(environmentName(flag)) ?? "";
    const start = comment.slice(0, description.length);
    assert.equal(start.toLowerCase(), description.toLowerCase(), environmentName(flag));
    assert.match(comment.slice(description.length), /^(\.|[:;,.] .*\.) $/, environmentName(flag));
  }
});

test("the systemd unit passes systemd-analyze", {
  skip: !has("systemd-analyze") && "needs systemd-analyze",
}, () => {
  const verified = spawnSync("systemd-analyze", ["verify", path("jai-server.service")], { encoding: "utf8" });
  assert.equal(`${verified.stdout}${verified.stderr}`, "");
  assert.equal(verified.status, 0);
});

test("the systemd unit is well hardened by systemd's own score, but lets V8 compile", {
  skip: systemdVersion() < 250 && "needs systemd-analyze 250",
}, () => {
  // The threshold is on a scale to 100; a service without hardening has 96.
  const args = ["security", "--offline=true", "--no-pager", "--threshold=25", path("jai-server.service")];
  const { status, stdout, stderr } = spawnSync("systemd-analyze", args, { encoding: "utf8" });
  assert.equal(status, 0, `${stdout}${stderr}`);
  assert.deepEqual(directives(read("jai-server.service"), "MemoryDenyWriteExecute"), []);
});

test("the systemd unit runs files of the package, with valid settings and time to drain", () => {
  const unit = read("jai-server.service");
  const [command] = directives(unit, "ExecStart");
  assertRuns(command!.split(" "));
  const environment = directives(unit, "Environment").map((line) => line.split("=") as [string, string]);
  assertTaken(Object.fromEntries(environment));
  const [grace] = directives(unit, "TimeoutStopSec");
  assert.ok(Number(grace) > drainSeconds, grace);
  // Jobs must be where DynamicUser lets it write: for a system service, %S is /var/lib.
  const { JAI_DATA_DIR } = Object.fromEntries(environment);
  assert.equal(JAI_DATA_DIR, `%S/${directives(unit, "StateDirectory")[0]}`);
  // The unit reads the settings file that its comment installs.
  const [, installed] = /jai\.env\.example (\S+)/.exec(unit) ?? [];
  assert.equal(directives(unit, "EnvironmentFile")[0], `-${installed}`);
});

test("the launchd agent runs files of the package, with valid settings and time to drain", {
  skip: !has("python3") && "needs python3",
}, () => {
  const parse = "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
  const parsed = spawnSync("python3", ["-c", parse, path("jai-server.plist")], { encoding: "utf8" });
  assert.equal(parsed.status, 0, parsed.stderr);
  const agent = JSON.parse(parsed.stdout);
  assertRuns(agent.ProgramArguments);
  assertTaken(agent.EnvironmentVariables);
  assert.ok(agent.ExitTimeOut > drainSeconds, String(agent.ExitTimeOut));
  // A stop exits with 0, which must not count as a crash.
  assert.deepEqual(agent.KeepAlive, { SuccessfulExit: false });
  const comment = read("jai-server.plist");
  assert.match(comment, new RegExp(`launchctl bootout gui/.+/${agent.Label}\n`));
  assert.match(comment, new RegExp(`The log is ${agent.StandardOutPath}[.,]`));
});

/** Values of a unit's directive, in order. */
function directives(unit: string, name: string): string[] {
  return [...unit.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value]) => value!);
}

/** Checks that a command line runs a file and a command of the package, installed in /opt/jai-server. */
function assertRuns([env, node, ...args]: string[]): void {
  assert.deepEqual([env, node], ["/usr/bin/env", "node"]);
  const installed = args.map((arg) => arg.replace(/^\/opt\/jai-server(?=\/)/, packageRoot));
  const { status, stdout, stderr } = spawnSync(process.execPath, [...installed, "--help"], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^Usage: jai serve /);
}

function assertTaken(environment: Record<string, string>): void {
  const known = Object.values(settings).map((setting) => environmentName(setting.flag));
  const names = Object.keys(environment).filter((name) => name.startsWith("JAI_"));
  assert.ok(names.length > 0);
  for (const name of names) assert.ok(known.includes(name), name);
  readConfig([], environment);
}

function systemdVersion(): number {
  const { stdout } = spawnSync("systemd-analyze", ["--version"], { encoding: "utf8" });
  return Number(/^systemd (\d+)/.exec(stdout ?? "")?.[1] ?? 0);
}
