import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { environmentName, packageRoot, settings } from "../server/config.js";

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

test("the systemd unit passes systemd-analyze", {
  skip: !has("systemd-analyze") && "needs systemd-analyze",
}, () => {
  const verified = spawnSync("systemd-analyze", ["verify", path("jai-server.service")], { encoding: "utf8" });
  assert.equal(`${verified.stdout}${verified.stderr}`, "");
  assert.equal(verified.status, 0);
});

test("the systemd unit is hardened, drains, and leaves V8 its compiler", () => {
  const unit = read("jai-server.service");
  for (const line of [
    "DynamicUser=yes",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "CapabilityBoundingSet=",
    "Restart=on-failure",
    "KillSignal=SIGTERM",
    "EnvironmentFile=-/etc/jai-server/jai.env",
  ])
    assert.match(unit, new RegExp(`^${line}$`, "m"));
  assert.doesNotMatch(unit, /^MemoryDenyWriteExecute/m);
  assert.ok(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]) > drainSeconds);
  assert.match(unit, /^# Install/m);
});

test("the launchd plist parses and says how to run, stop and restart the server", {
  skip: !has("python3") && "needs python3",
}, () => {
  const parse = "import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))";
  const parsed = spawnSync("python3", ["-c", parse, path("jai-server.plist")], { encoding: "utf8" });
  assert.equal(parsed.status, 0, parsed.stderr);
  const agent = JSON.parse(parsed.stdout);
  assert.equal(agent.Label, "jai-server");
  assert.deepEqual(agent.ProgramArguments.slice(-2), ["/opt/jai-server/dist/server/cli.js", "serve"]);
  assert.deepEqual(agent.KeepAlive, { SuccessfulExit: false });
  assert.ok(agent.ExitTimeOut > drainSeconds);
  const known = Object.values(settings).map((setting) => environmentName(setting.flag));
  for (const name of Object.keys(agent.EnvironmentVariables))
    if (name.startsWith("JAI_")) assert.ok(known.includes(name), name);
});
