// Several commands prepare the same fresh clone. A stand-in for npm notes each install, and takes until the test lets it end.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { packageRoot } from "../server/settings/config.js";

const skip = process.platform === "win32" && "needs POSIX";

const npm = `#!/bin/sh
echo begin >>"$NOTES"
until [ -e "$NOTES.go" ]; do sleep 0.01; done
mkdir -p node_modules/typescript/lib node_modules/vite/bin node_modules/yaml
echo 'require("node:fs").mkdirSync("dist/server", { recursive: true })' >node_modules/typescript/lib/tsc.js
echo 'require("node:fs").appendFileSync(process.env.NOTES, "page" + require("node:os").EOL)' >node_modules/vite/bin/vite.js
echo 'exports.parse = JSON.parse' >node_modules/yaml/index.js
echo end >>"$NOTES"
`;

function clone(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "jai-prepare-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const root = join(folder, "clone");
  for (const name of ["server/page", "workers", "models", "ops"])
    mkdirSync(join(root, name), { recursive: true });
  for (const name of ["package.json", "package-lock.json", "tsconfig.json", "openapi.yaml"])
    writeFileSync(join(root, name), "{}");
  for (const name of ["prepare.mjs", "prepare-lock.mjs"])
    copyFileSync(join(packageRoot, "ops", name), join(root, "ops", name));
  writeFileSync(join(folder, "npm"), npm, { mode: 0o755 });
  const notes = join(folder, "notes");
  const prepare = () => {
    const child = spawn(process.execPath, [join(root, "ops/prepare.mjs")], {
      env: { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}`, NOTES: notes },
      stdio: ["ignore", "ignore", "pipe"],
      // A process group of its own, so that it can be killed with its npm.
      detached: true,
    });
    t.after(() => kill(child));
    return child;
  };
  const letGo = () => writeFileSync(`${notes}.go`, "");
  return {
    root,
    prepare,
    letGo,
    notes: () => (existsSync(notes) ? readFileSync(notes, "utf8").split("\n") : []),
  };
}

function kill({ pid }: ChildProcess): void {
  try {
    process.kill(-pid!, "SIGKILL");
  } catch {
    // It has ended.
  }
}

/** Resolves when a command says `words`. */
function says({ stderr }: ChildProcess, words: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    stderr!.on("data", (chunk) => {
      said += chunk;
      if (said.includes(words)) resolve();
    });
    stderr!.once("end", () => reject(new Error(`expected "${words}", got "${said}"`)));
  });
}

test("commands at once in a fresh clone install and compile once", { skip }, async (t) => {
  const { root, prepare, letGo, notes } = clone(t);
  const first = prepare();
  await says(first, "installing");
  const others = [prepare(), prepare()];
  await Promise.all(others.map((other) => says(other, "waiting for another command")));
  const ends = [first, ...others].map((child) => once(child, "exit"));
  letGo();
  assert.deepEqual(await Promise.all(ends), [
    [0, null],
    [0, null],
    [0, null],
  ]);
  assert.deepEqual(notes(), ["begin", "end", "page", ""]);
  assert.ok(existsSync(join(root, "dist/.built")));
  const [code] = await once(prepare(), "exit");
  assert.equal(code, 0);
  assert.equal(notes().length, 4);
});

test("what has changed is built again, and only that", { skip }, async (t) => {
  const { root, prepare, letGo, notes } = clone(t);
  const built = async () => assert.deepEqual(await once(prepare(), "exit"), [0, null]);
  letGo();
  await built();
  writeFileSync(join(root, "dist/server/old.js"), "");
  writeFileSync(join(root, "server/page/style.css"), "");
  await built();
  assert.deepEqual(notes(), ["begin", "end", "page", "page", ""]);
  assert.ok(existsSync(join(root, "dist/server/old.js")));
  writeFileSync(join(root, "server/new.ts"), "");
  await built();
  assert.ok(!existsSync(join(root, "dist/server/old.js")));
  // The output of the compiler is new, and the page as it was.
  assert.deepEqual(notes(), ["begin", "end", "page", "page", ""]);
  writeFileSync(join(root, "openapi.yaml"), '{"openapi": "3.1.0"}');
  await built();
  assert.deepEqual(JSON.parse(readFileSync(join(root, "dist/openapi.json"), "utf8")), { openapi: "3.1.0" });
});

test("a command that is killed while it prepares holds nobody up", { skip }, async (t) => {
  const { prepare, letGo, notes } = clone(t);
  const first = prepare();
  await says(first, "installing");
  const second = prepare();
  await says(second, "waiting for another command");
  const ended = once(second, "exit");
  kill(first);
  await says(second, "installing");
  // It dies like the first, and nobody waits for it.
  kill(second);
  await ended;
  letGo();
  const [code] = await once(prepare(), "exit");
  assert.equal(code, 0);
  assert.deepEqual(notes().slice(-3), ["end", "page", ""]);
});
