import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { commands } from "./commands.js";

const cli = fileURLToPath(new URL("../cli.js", import.meta.url));
const without = (shell: string) => spawnSync(shell, ["--version"]).error !== undefined && `needs ${shell}`;

function script(shell: string): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, "completion", shell], {
    encoding: "utf8",
  });
  assert.deepEqual([status, stderr], [0, ""]);
  return stdout;
}

for (const shell of ["bash", "zsh", "fish"]) {
  test(`the script for ${shell} has every command with its flags`, async () => {
    const text = script(shell);
    for (const [name, { load }] of Object.entries(commands)) {
      assert.match(text, new RegExp(`\\b${name}\\b`));
      for (const flag of Object.keys((await load()).flags))
        assert.match(text, new RegExp(`${shell === "fish" ? `-l ${flag}` : `--${flag}`}\\b`));
    }
  });
}

/** What bash offers at the end of a command line. */
function offered(words: string[], cwd: string): string[] {
  const line = words.map((word) => `'${word}'`).join(" ");
  const ask = `COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _jai; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync("bash", ["--norc", "-c", `set -u\n${script("bash")}\n${ask}`], {
    encoding: "utf8",
    cwd,
  });
  assert.equal(stderr, "");
  return stdout.split("\n").filter((one) => one !== "");
}

test("bash, with the script sourced, completes commands, flags, words and paths", {
  skip: without("bash"),
}, (context) => {
  const folder = mkdtempSync(join(tmpdir(), "jai-completion-"));
  context.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "my models"));
  writeFileSync(join(folder, "my file"), "");
  const at = (...words: string[]) => offered(["jai", ...words], folder);
  assert.deepEqual(at("ch"), ["chat"]);
  assert.deepEqual(at("se"), ["serve"]);
  assert.deepEqual(at("serve", "--dev"), ["--device"]);
  assert.deepEqual(at("serve", "--device", "c"), ["cpu", "cuda"]);
  assert.deepEqual(at("serve", "--model", "my"), ["my models"]);
  assert.deepEqual(at("import", "my").toSorted(), ["my file", "my models"]);
  assert.deepEqual(at("import", "--heads", ""), []);
  assert.deepEqual(at("data", ""), ["check", "repair", "export"]);
  assert.deepEqual(at("completion", "z"), ["zsh"]);
  assert.deepEqual(at("list", ""), ["--json", "--help"]);
});

test("fish, with the script sourced, completes commands, flags and words", { skip: without("fish") }, () => {
  const lines = ["jai ch", "jai serve --dev", "jai serve --device cu", "jai data rep"];
  const asks = lines.map((line) => `complete -C '${line}'`).join("\n");
  const { stdout, stderr } = spawnSync("fish", ["--no-config", "-c", `${script("fish")}\n${asks}`], {
    encoding: "utf8",
  });
  assert.equal(stderr, "");
  const offered = stdout.trimEnd().split("\n");
  assert.deepEqual(
    offered.map((line) => line.split("\t")[0]),
    ["chat", "--device", "cuda", "repair"],
  );
});

test("zsh reads the script", { skip: without("zsh") }, () => {
  const { status, stderr } = spawnSync("zsh", ["-f", "-n"], { encoding: "utf8", input: script("zsh") });
  assert.deepEqual([status, stderr], [0, ""]);
});

for (const args of [[], ["powershell"], ["bash", "zsh"]]) {
  test(`jai completion ${args.join(" ")} is wrong usage`, () => {
    const { status, stderr } = spawnSync(process.execPath, [cli, "completion", ...args], {
      encoding: "utf8",
    });
    assert.equal(status, 2);
    assert.match(stderr, /^jai completion: expected bash\|zsh\|fish, got .*; see jai completion --help\n$/);
  });
}
