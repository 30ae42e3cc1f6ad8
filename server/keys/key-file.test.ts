import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { packageRoot } from "../settings/config.js";
import { hashKey, unlimited } from "../settings/key.js";
import { KeyFileError, parseKeyFile, readKeyFile } from "./key-file.js";

const parse = (text: string) => parseKeyFile(Buffer.from(text));
const parseKeys = (...keys: unknown[]) => parse(JSON.stringify({ keys }));
const sha256 = hashKey("secret").toString("hex");

test("a plain key and its hash are equivalent, and missing limits are unlimited", () => {
  const keys = parseKeys(
    { name: "a", key: "other" },
    { name: "b", sha256: sha256.toUpperCase(), priority: -10, limits: { tokens_per_day: 5 } },
  );
  assert.deepEqual(keys, [
    { name: "a", hash: hashKey("other"), priority: 0, limits: unlimited },
    { name: "b", hash: hashKey("secret"), priority: -10, limits: { ...unlimited, tokensPerDay: 5 } },
  ]);
});

test("every limit is read into its own field", () => {
  const limits = {
    requests_per_minute: 1,
    tokens_per_minute: 2,
    tokens_per_day: 3,
    concurrent_requests: 4,
  };
  assert.deepEqual(parseKeys({ name: "a", key: "x", limits })[0]!.limits, {
    requestsPerMinute: 1,
    tokensPerMinute: 2,
    tokensPerDay: 3,
    concurrentRequests: 4,
  });
});

test("an empty list is valid, and a byte order mark is ignored", () => {
  assert.deepEqual(parse('\ufeff{"keys": []}'), []);
});

test("the example in docs/operations.md is a valid key file", () => {
  const page = readFileSync(join(packageRoot, "docs/operations.md"), "utf8");
  const [, example] = /```json\n(\{\n {2}"keys".*?\n)```/s.exec(page)!;
  assert.deepEqual(
    parse(example!).map(({ name, priority }) => [name, priority]),
    [
      ["web", 5],
      ["batch", -5],
    ],
  );
});

test("the hash is what the command in docs/operations.md prints", {
  skip: process.platform !== "linux" && "needs Linux",
}, () => {
  const printed = execFileSync("sh", ["-c", 'printf %s "$key" | sha256sum'], {
    env: { ...process.env, key: "secret" },
  });
  assert.equal(printed.toString().slice(0, 64), sha256);
});

const key = { name: "a", key: "secret" };
for (const [text, message] of [
  ["", "the file: expected JSON, got an error in line 1, column 1"],
  ['{"keys": [\n  {"name": "secret', "the file: expected JSON, got an error in line 2, column 12"],
  ["[]", "the file: expected an object, got a list"],
  ['{"keys": {"secret": 1}}', "keys: expected a list, got an object"],
  ['{"secret": []}', "the file: expected no fields but keys, got another as number 1"],
  ["{}", "keys: expected a list, got nothing"],
  [[null], "keys[0]: expected an object, got null"],
  [["secret"], "keys[0]: expected an object, got a text"],
  [[{ key: "secret" }], "keys[0].name: expected 1 to 64 letters, digits and ._-"],
  [[{ ...key, name: "a secret" }], "keys[0].name: expected 1 to 64 letters, digits and ._-"],
  [[{ name: "a" }], "keys[0]: expected either key or sha256"],
  [[{ ...key, sha256 }], "keys[0]: expected either key or sha256"],
  [[{ name: "a", sha256: "secret" }], "keys[0].sha256: expected 64 hexadecimal digits"],
  [
    [{ name: "a", key: "a secret" }],
    "keys[0].key: expected 1 to 512 printable ASCII characters without spaces and commas",
  ],
  [[{ ...key, priority: 11 }], "keys[0].priority: expected an integer from -10 to 10, got 11"],
  [[{ ...key, priority: "high" }], "keys[0].priority: expected an integer from -10 to 10, got a text"],
  [
    [{ ...key, limits: { tokens_per_day: 0 } }],
    "keys[0].limits.tokens_per_day: expected an integer from 1, got 0",
  ],
  [
    [{ ...key, limits: { tokens_per_day: "secret" } }],
    "keys[0].limits.tokens_per_day: expected an integer from 1, got a text",
  ],
  [
    [{ ...key, limits: { token_per_day: 1 } }],
    "keys[0].limits: expected no fields but requests_per_minute, tokens_per_minute, tokens_per_day, concurrent_requests, got token_per_day (tokens_per_day?)",
  ],
  [
    [{ ...key, secret: 1 }],
    "keys[0]: expected no fields but name, key, sha256, priority, limits, got another as number 3",
  ],
  [[key, { name: "a", key: "x" }], "keys[1]: expected a unique name and key, got those of an earlier entry"],
  [[key, { name: "b", sha256 }], "keys[1]: expected a unique name and key, got those of an earlier entry"],
] as const) {
  const given = typeof text === "string" ? text : JSON.stringify({ keys: text });
  test(`${JSON.stringify(given)} is refused in one line, without secrets`, () => {
    assert.throws(() => parse(given), { name: "KeyFileError", message });
    assert.doesNotMatch(message, /secret|\n/);
  });
}

test("bytes that are not UTF-8 are refused", () => {
  assert.throws(() => parseKeyFile(Buffer.from([0xff, 0xfe])), {
    message: "the file: expected text in UTF-8",
  });
});

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "jai-keys-"));
  context.after(() => rmSync(path, { recursive: true }));
  return path;
}

test("a missing file, a folder and a file that is too large are refused", async (context) => {
  const dir = folder(context);
  const refused = (path: string, message: string) =>
    assert.rejects(readKeyFile(path), (error) => error instanceof KeyFileError && error.message === message);
  await refused(join(dir, "none"), "cannot be read (ENOENT)");
  mkdirSync(join(dir, "dir"));
  await refused(join(dir, "dir"), "the file: expected a regular file");
  writeFileSync(join(dir, "large"), Buffer.alloc(1024 * 1024 + 1));
  await refused(join(dir, "large"), "the file: expected at most 1048576 bytes, got 1048577");
});

test("a FIFO is refused at once, without waiting for a writer", {
  skip: process.platform === "win32" && "needs POSIX",
}, async (context) => {
  const path = join(folder(context), "fifo");
  execFileSync("mkfifo", [path]);
  await assert.rejects(readKeyFile(path), { message: "the file: expected a regular file" });
});
