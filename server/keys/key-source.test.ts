import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import fs, { readFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Log } from "../log.js";
import { parseKeyList } from "../settings/key-list.js";
import { Callers } from "./callers.js";
import { parseKeyFile } from "./key-file.js";
import { followKeyFile, openCallers } from "./key-source.js";

const file = (...keys: string[]) =>
  JSON.stringify({ keys: keys.map((key) => ({ name: `name-${key}`, key })) });

/** Replaces a file atomically, so that no half-written one can be read. */
function put(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

function listener() {
  const lines = new EventEmitter();
  const all: string[] = [];
  const note = (level: string) => (message: string) => {
    all.push(`${level} ${message}`);
    lines.emit("line", `${level} ${message}`);
  };
  const log: Log = { error: note("error"), warn: note("warn"), info: note("info"), debug: note("debug") };
  return { log, all, next: async () => ((await once(lines, "line")) as [string])[0] };
}

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "jai-keys-"));
  context.after(() => rmSync(path, { recursive: true }));
  return path;
}

/** Follows a key file at short intervals. */
async function followed(context: TestContext, path: string) {
  const { log, all, next } = listener();
  const bytes = await readFile(path);
  const callers = new Callers(parseKeyFile(bytes));
  const end = new AbortController();
  const ended = followKeyFile({ path, bytes, callers, log, intervalMs: 2, signal: end.signal });
  context.after(async () => {
    end.abort();
    await ended;
  });
  const valid = (...keys: string[]) => keys.map((key) => callers.identify(key) !== null);
  /** Calls `act`, and resolves to the next log line. */
  const after = (act: () => void) => {
    const line = next();
    act();
    return line;
  };
  return { all, after, next, valid };
}

test("a file that is rewritten in place takes effect at once", async (context) => {
  const path = join(folder(context), "keys.json");
  writeFileSync(path, file("a"));
  const { all, after, next, valid } = await followed(context, path);
  assert.deepEqual(valid("a", "b"), [true, false]);
  // Same length, and maybe the same modification time: the content must be compared.
  await after(() => writeFileSync(path, file("b")));
  // The first look may see the file emptied, before the write.
  while (!valid("b")[0]) await next();
  assert.equal(all.at(-1), `info API keys: 1, from ${path}, which has changed`);
  assert.deepEqual(valid("a", "b"), [false, true]);
});

test("a file is still followed after an editor replaced it", async (context) => {
  const path = join(folder(context), "keys.json");
  writeFileSync(path, file("a"));
  const { after, valid } = await followed(context, path);
  for (const key of ["b", "c"]) {
    await after(() => put(path, file(key)));
    assert.deepEqual(valid(key), [true]);
  }
});

test("a symbolic link that is pointed elsewhere is followed, as in mounted secrets", async (context) => {
  const dir = folder(context);
  for (const [version, key] of [
    ["v1", "a"],
    ["v2", "b"],
  ] as const) {
    mkdirSync(join(dir, version));
    writeFileSync(join(dir, version, "keys.json"), file(key));
  }
  symlinkSync("v1", join(dir, "data"));
  const { after, valid } = await followed(context, join(dir, "data", "keys.json"));
  await after(() => {
    symlinkSync("v2", join(dir, "turned"));
    renameSync(join(dir, "turned"), join(dir, "data"));
  });
  assert.deepEqual(valid("a", "b"), [false, true]);
});

/** The returned function resolves after `times` more calls of stat. */
function looksAt(context: TestContext): (times: number) => Promise<void> {
  const looks = new EventEmitter();
  const { stat } = fs;
  const mocked = context.mock.method(fs, "stat", (path: string) => {
    looks.emit("look");
    return stat(path);
  });
  syncBuiltinESMExports();
  context.after(() => {
    mocked.mock.restore();
    syncBuiltinESMExports();
  });
  return async (times) => {
    for (let n = 0; n < times; n++) await once(looks, "look");
  };
}

test("while the file is half-written or missing, the previous keys stay, and each fault is logged once", async (context) => {
  const path = join(folder(context), "keys.json");
  writeFileSync(path, file("a"));
  const looks = looksAt(context);
  const { all, after, valid } = await followed(context, path);
  const half = await after(() => put(path, file("b").slice(0, -10)));
  assert.match(
    half,
    /^error .*: the file: expected JSON, got an error in line 1, column \d+; the previous keys stay valid$/,
  );
  await looks(3);
  assert.deepEqual(valid("a", "b"), [true, false]);
  const missing = await after(() => unlinkSync(path));
  assert.match(missing, /: cannot be read \(ENOENT\); the previous keys stay valid$/);
  await looks(3);
  assert.deepEqual(valid("a", "b"), [true, false]);
  await after(() => put(path, file("b")));
  await looks(3);
  assert.deepEqual(valid("a", "b"), [false, true]);
  assert.equal(all.length, 3, all.join("\n"));
});

test("once the file has no keys, nobody gets in", async (context) => {
  const path = join(folder(context), "keys.json");
  writeFileSync(path, file("a"));
  const { after, valid } = await followed(context, path);
  await after(() => put(path, file()));
  assert.deepEqual(valid("a"), [false]);
});

test("settings without keys let everybody in; a list lets only its keys in", async () => {
  const { log } = listener();
  const anybody = await openCallers({ apiKeys: "none", apiKeysFile: "none" }, log);
  assert.equal(anybody.identify(undefined)!.name, "anonymous");
  const listed = await openCallers({ apiKeys: parseKeyList("web=abc")!, apiKeysFile: "none" }, log);
  assert.equal(listed.identify("abc")!.name, "web");
  assert.equal(listed.identify(undefined), null);
});

test("the file is read at the start; an invalid one stops the start with one line", async (context) => {
  const path = join(folder(context), "keys.json");
  const { log, all } = listener();
  const open = () => openCallers({ apiKeys: "none", apiKeysFile: path }, log);
  const refused = (message: string) => assert.rejects(open(), { name: "ConfigError", message });
  await refused(`JAI_API_KEYS_FILE: ${path}: cannot be read (ENOENT)`);
  writeFileSync(path, "{}");
  await refused(`JAI_API_KEYS_FILE: ${path}: keys: expected a list, got nothing`);
  writeFileSync(path, file("a"));
  assert.equal((await open()).identify("a")!.name, "name-a");
  assert.deepEqual(all, [`info API keys: 1, from ${path}`]);
});

test("a list and a file together are refused", async () => {
  const apiKeys = parseKeyList("secret")!;
  await assert.rejects(openCallers({ apiKeys, apiKeysFile: "/keys.json" }, listener().log), {
    name: "ConfigError",
    message: "JAI_API_KEYS_FILE: expected no JAI_API_KEYS beside it, got both",
  });
});
