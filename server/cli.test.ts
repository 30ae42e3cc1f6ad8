import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { checkpoint } from "../models/fixtures/checkpoint-writer.js";
import { gpt } from "../models/fixtures/gpt.js";
import { byteTokenizer, FIXTURE_SIZES } from "../models/fixtures/model.js";
import { commands } from "./cli/commands.js";
import { environmentName, packageRoot, settings } from "./settings/config.js";

const cli = fileURLToPath(new URL("./cli.js", import.meta.url));

function jai(args: string[], environment: Record<string, string> = {}, cwd = process.cwd()) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, ...args], {
    encoding: "utf8",
    cwd,
    env: { PATH: process.env.PATH, ...environment },
  });
  return { status, stdout, stderr };
}

test("--help lists the commands, and a command's --help its flags", () => {
  const { status, stdout } = jai(["--help"]);
  assert.equal(status, 0);
  for (const name of ["import", "serve", "chat", "bench"])
    assert.match(stdout, new RegExp(`^ +${name} `, "m"));
  const serve = jai(["serve", "--help"]);
  assert.equal(serve.status, 0);
  for (const { flag } of Object.values(settings)) assert.ok(serve.stdout.includes(environmentName(flag)));
});

test("docs/cli.md has every command", () => {
  const page = readFileSync(join(packageRoot, "docs/cli.md"), "utf8");
  for (const name of Object.keys(commands)) assert.match(page, new RegExp(`^\\| .*\`jai ${name}\``, "m"));
});

test("--version prints the package's version", () => {
  assert.match(jai(["--version"]).stdout, /^\d+\.\d+\.\d+\n$/);
});

for (const args of [
  [],
  ["sreve"],
  ["constructor"],
  ["serve", "--prot", "1"],
  ["serve", "folder"],
  ["import"],
  ["chat", "hello"],
]) {
  test(`"jai ${args.join(" ")}" is wrong usage: one line that points to --help, exit status 2`, () => {
    const { status, stdout, stderr } = jai(args);
    assert.equal(status, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /^jai.*: .*; see jai( \w+)? --help\n$/);
  });
}

test("a bad value is reported in one line, exit status 1", () => {
  assert.deepEqual(jai(["serve"], { JAI_PORT: "abc" }), {
    status: 1,
    stdout: "",
    stderr: 'JAI_PORT: expected an integer from 0 to 65535, got "abc"\n',
  });
});

test("an unknown JAI_ variable gets a warning in the log", () => {
  const { stdout } = jai(["serve", "--model", "nowhere"], { JAI_PROT: "1" });
  assert.match(stdout, /^.* - WARNING - JAI_PROT: no such setting; did you mean JAI_PORT\?\n$/);
});

test("an import prints the command that serves the new folder", {
  skip: process.platform === "win32",
}, (t) => {
  const root = mkdtempSync(join(tmpdir(), "jai import's-"));
  t.after(() => rmSync(root, { recursive: true }));
  const vocab = FIXTURE_SIZES.vocab;
  const cfg = { block_size: 6, n_layer: 1, n_head: 2, n_embd: 8, dropout: 0 };
  writeFileSync(join(root, "ckpt.pt"), checkpoint({ cfg, model: gpt({ vocab, layers: 1 }) }));
  writeFileSync(join(root, "tokenizer.json"), JSON.stringify(byteTokenizer()));
  const sources = [join(root, "ckpt.pt"), "--tokenizer", join(root, "tokenizer.json")];
  // A name that begins like a flag would be taken for one.
  for (const [out, served] of [
    [join(root, "m"), join(root, "m")],
    ["-m", "./-m"],
  ] as const) {
    const { status, stdout } = jai(["import", ...sources, "--precision", "fp32", `--out=${out}`], {}, root);
    assert.equal(status, 0);
    const [, command] = /^serve it: jai (serve --model .*)\n$/m.exec(stdout) ?? [];
    const [word] = spawnSync("sh", ["-c", `printf '%s\\n' ${command}`], { encoding: "utf8" })
      .stdout.split("\n")
      .slice(2);
    assert.equal(word, served);
  }
});

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal} while the server's modules load exits with 0`, () => {
    const sendAtOnce = `process.on("newListener", (name) => {
      if (name === "${signal}") setImmediate(() => process.kill(process.pid, name));
    });`;
    const { status, stdout, stderr } = jai(["serve", "--port", "0"], {
      NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(sendAtOnce)}`,
    });
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "", stderr: "" });
  });
}

test("relative paths start at the folder npm was called in, only for this package's own scripts", () => {
  const there = (environment: Record<string, string>) =>
    jai(["serve", "--model", "nowhere"], { INIT_CWD: tmpdir(), ...environment }).stderr.includes(
      join(tmpdir(), "nowhere"),
    );
  assert.equal(there({ npm_package_name: "jai-server", npm_lifecycle_event: "jai" }), true);
  assert.equal(there({ npm_package_name: "jai-server", npm_lifecycle_event: "test" }), false);
  assert.equal(there({ npm_package_name: "another", npm_lifecycle_event: "start" }), false);
});
