import assert from "node:assert/strict";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { memoryDisk, NEEDS_ROOT } from "../../../server/fixtures/small-disk.js";
import { COMMIT, type FakeHub, fakeHub, refuse, sha256 } from "../../fixtures/hub.js";
import { llamaFiles, shardedLlamaFiles } from "../../fixtures/llama.js";
import { ImportError } from "../checkpoint/error.js";
import { readTokenizer } from "../tokenizer/index.js";
import { fetchModel, fetchTokenizer } from "./index.js";
import type { HubSettings } from "./settings.js";

const files = llamaFiles();
const weights = files["model.safetensors"]!;
const CLUTTER = {
  "README.md": Buffer.from("# tiny"),
  "pytorch_model.bin": Buffer.alloc(5000, 1),
  "tf_model.h5": Buffer.alloc(5000, 2),
  "onnx/model.onnx": Buffer.alloc(5000, 3),
  "training_args.bin": Buffer.alloc(100, 4),
};

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "jai-hub-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A hub with the files, and what fetches from it into a cache of its own. */
async function setUp(
  t: TestContext,
  content: Record<string, Buffer> = files,
  given: Partial<HubSettings> = {},
) {
  const hub = await fakeHub(t, content);
  const settings: HubSettings = {
    ...{ endpoint: hub.url, token: null, cache: join(scratch(t), "hub"), offline: false },
    ...{ stallMs: 10_000, retryMs: 1, ...given },
  };
  const fetch = (text = "hf:acme/tiny", more: Partial<HubSettings> = {}) =>
    fetchModel(text, { needsTokenizer: true, settings: { ...settings, ...more } });
  const blobs = join(settings.cache, "models--acme--tiny/blobs");
  return { hub, settings, fetch, blobs, left: () => (existsSync(blobs) ? readdirSync(blobs) : []) };
}

async function refuses(work: Promise<unknown>, expected: RegExp): Promise<void> {
  await assert.rejects(work, (error: Error) => {
    assert.ok(error instanceof ImportError, error.stack);
    assert.match(error.message, expected);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });
}

/** The path of the weights on the second host. */
const large = sha256(weights);
const resolved = (hub: FakeHub) =>
  hub.seen.filter(({ path }) => path.includes("/resolve/")).map(({ path }) => path.split("/").at(-1));
const ranges = (hub: FakeHub) => hub.seen.filter(({ host }) => host === "files").map(({ range }) => range);

test("the files that an import needs are fetched, of one commit, and no others; the second time none", async (t) => {
  const { hub, fetch, settings } = await setUp(t, { ...files, ...CLUTTER });
  const path = await fetch();
  assert.deepEqual(resolved(hub).sort(), Object.keys(files).sort());
  for (const { path: asked } of hub.seen.filter(({ path }) => path.includes("/resolve/")))
    assert.ok(asked.startsWith(`/acme/tiny/resolve/${COMMIT}/`), asked);
  assert.deepEqual(readdirSync(dirname(path)).sort(), Object.keys(files).sort());
  for (const [name, bytes] of Object.entries(files))
    assert.deepEqual(readFileSync(join(dirname(path), name)), bytes, name);
  // As Hugging Face's libraries lay it out.
  const repository = join(settings.cache, "models--acme--tiny");
  assert.equal(path, join(repository, "snapshots", COMMIT, "model.safetensors"));
  assert.equal(readFileSync(join(repository, "refs/main"), "utf8"), COMMIT);
  assert.ok(existsSync(join(repository, "blobs", large)));

  const before = hub.seen.length;
  assert.equal(await fetch(), path);
  assert.deepEqual(
    hub.seen.slice(before).filter(({ path }) => path.includes("/resolve/")),
    [],
  );
});

test("the token goes to the hub, and not to the host that it sends on to", async (t) => {
  const { hub, fetch } = await setUp(t, files, { token: "hf_secret" });
  await fetch();
  const of = (host: string) =>
    new Set(hub.seen.filter((one) => one.host === host).map((one) => one.authorization));
  assert.deepEqual(of("hub"), new Set(["Bearer hf_secret"]));
  assert.deepEqual(of("files"), new Set([undefined]));
});

test("a revision, a file and a folder may be named", async (t) => {
  const inside = Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`deep/er/${name}`, bytes]));
  const two = {
    "a.pt": Buffer.alloc(10),
    "b.pt": Buffer.alloc(20),
    "tokenizer.json": files["tokenizer.json"]!,
  };
  const { hub, fetch } = await setUp(t, { ...inside, ...two });
  assert.match(await fetch(`hf:acme/tiny@v1/b.pt`), /b\.pt$/);
  assert.deepEqual(resolved(hub), ["b.pt", "tokenizer.json"]);
  assert.match(await fetch(`hf://acme/tiny@${COMMIT}/deep/er`), /deep.er.model\.safetensors$/);
  await refuses(
    fetch(),
    /^hf:acme\/tiny: expected one checkpoint, got 2: a\.pt, b\.pt; name the one to import, such as hf:acme\/tiny\/b\.pt$/,
  );
});

test("a model in parts comes with all of them, page by page", async (t) => {
  const { hub, fetch } = await setUp(t, { ...shardedLlamaFiles(), ...CLUTTER });
  hub.pageSize = 2;
  const path = await fetch();
  assert.match(path, /model\.safetensors\.index\.json$/);
  assert.deepEqual(readdirSync(dirname(path)).sort(), Object.keys(shardedLlamaFiles()).sort());
});

test("a tokenizer may come from another model", async (t) => {
  const { hub, settings } = await setUp(t, { ...files, ...CLUTTER });
  const path = await fetchTokenizer("hf:acme/tiny", { settings });
  assert.equal((await readTokenizer(path)).kind, "tokenizer.json");
  assert.deepEqual(resolved(hub), ["tokenizer.json", "tokenizer_config.json"]);
});

test("offline, what was fetched before is taken", async (t) => {
  const { hub, fetch } = await setUp(t);
  await refuses(
    fetch("hf:acme/tiny", { offline: true }),
    /downloaded before, since HF_HUB_OFFLINE is set; got none$/,
  );
  const path = await fetch();
  const before = hub.seen.length;
  assert.equal(await fetch("hf:acme/tiny", { offline: true }), dirname(path));
  assert.equal(hub.seen.length, before);
});

test("a connection that breaks is gone on with where it broke", async (t) => {
  const { hub, settings } = await setUp(t);
  let broken = () => {};
  hub.instead.set(large, (_, response) => {
    hub.instead.delete(large);
    response.writeHead(200, { "content-length": weights.length });
    response.write(weights.subarray(0, 50_000));
    broken = () => response.socket?.destroy();
  });
  // Not before some bytes are written: those that only lie in a buffer are lost with the connection.
  const onProgress = () => broken();
  const path = await fetchModel("hf:acme/tiny", { needsTokenizer: true, settings, onProgress });
  assert.deepEqual(readFileSync(path), weights);
  const [first, second] = ranges(hub);
  const from = Number(/^bytes=(\d+)-$/.exec(second!)?.[1]);
  assert.equal(first, undefined);
  assert.ok(from > 0 && from <= 50_000, second);
});

test("a part that an earlier import has left is gone on with, and one that is damaged isn't kept", async (t) => {
  for (const damaged of [false, true]) {
    const { hub, fetch, blobs, left } = await setUp(t);
    await fetch();
    rmSync(join(blobs, large));
    rmSync(join(blobs, "../snapshots"), { recursive: true });
    const part = Buffer.from(weights.subarray(0, 40_000));
    if (damaged) part[1000]! ^= 1;
    // No process has a number that large.
    writeFileSync(join(blobs, `${large}.99999999-abcdef01.part`), part);
    hub.seen.length = 0;
    hub.sent = 0;
    assert.deepEqual(readFileSync(await fetch()), weights);
    assert.deepEqual(ranges(hub), damaged ? ["bytes=40000-", undefined] : ["bytes=40000-"]);
    if (!damaged) assert.equal(hub.sent, weights.length - 40_000);
    assert.deepEqual(
      left().filter((name) => name.endsWith(".part")),
      [],
    );
  }
});

test("a part whose import still runs is left alone", async (t) => {
  const { fetch, blobs, left } = await setUp(t);
  await fetch();
  rmSync(join(blobs, large));
  const foreign = `${large}.${process.ppid}-abcdef01.part`;
  writeFileSync(join(blobs, foreign), "other bytes");
  await fetch();
  assert.deepEqual(
    left().filter((name) => name.endsWith(".part")),
    [foreign],
  );
});

test("imports at the same time each get whole files", async (t) => {
  const { fetch, left } = await setUp(t);
  const paths = await Promise.all([fetch(), fetch(), fetch()]);
  for (const path of paths) assert.deepEqual(readFileSync(path), weights);
  assert.deepEqual(
    left().filter((name) => name.endsWith(".part")),
    [],
  );
});

test("bytes with another checksum are refused, and not kept", async (t) => {
  const { hub, fetch, left } = await setUp(t);
  const wrong = Buffer.from(weights);
  wrong[100]! ^= 1;
  hub.instead.set(large, (_, response) => void response.end(wrong));
  await refuses(
    fetch(),
    new RegExp(
      `^hf:acme/tiny: expected model\\.safetensors with SHA-256 ${large}, got other bytes; try again`,
    ),
  );
  assert.deepEqual(left(), []);
  hub.instead.clear();
  const config = Buffer.from(files["config.json"]!);
  config[5]! ^= 1;
  hub.instead.set("/config.json", (_, response) => void response.end(config));
  await refuses(fetch(), /expected config\.json with git hash [0-9a-f]{40}, got other bytes/);
  hub.instead.clear();
  assert.deepEqual(readFileSync(await fetch()), weights);
});

test("a model that nobody may read without its license, and one that isn't there, are refused with what to do", async (t) => {
  const { hub, fetch } = await setUp(t);
  hub.instead.set("/resolve/", (_, response) => refuse(response, 401, "GatedRepo"));
  await refuses(
    fetch(),
    /^hf:acme\/tiny: expected a model that anybody may read, got 401: it is gated; accept its license at http:\/\/127\.0\.0\.1:\d+\/acme\/tiny and set HF_TOKEN$/,
  );
  hub.instead.set("/resolve/", (_, response) => refuse(response, 403, "GatedRepo"));
  await refuses(
    fetch("hf:acme/tiny", { token: "hf_x" }),
    /that HF_TOKEN may read, got 403: it is gated; accept its license at \S+ with the token's account$/,
  );
  await refuses(
    fetch("hf:acme/none"),
    /^hf:acme\/none: expected a model of 127\.0\.0\.1:\d+, got 401: there is none of that name, or a private one, which needs HF_TOKEN$/,
  );
  await refuses(
    fetch("hf:acme/none", { token: "hf_x" }),
    /got 401: there is none of that name that HF_TOKEN may read, or HF_TOKEN isn't valid$/,
  );
  await refuses(
    fetch("hf:acme/tiny@v9"),
    /expected a branch, a tag or a commit of the model, got one that \S+ doesn't have$/,
  );
  await refuses(
    fetch("hf:acme/tiny/no.pt"),
    /expected a file or a folder of the model, got one that \S+ doesn't have$/,
  );
  await refuses(fetch("hf:acme/tiny/config.json/x"), /expected a file or a folder of the model/);
});

test("a model without weights or tokenizer is refused before anything is fetched", async (t) => {
  const { hub, fetch } = await setUp(t, { "model.safetensors": weights });
  await refuses(
    fetch(),
    /^hf:acme\/tiny: expected a tokenizer \(.*\), got none; name it with --tokenizer FILE$/,
  );
  assert.deepEqual(resolved(hub), []);
});

test("a hub that answers wrong is refused in one line, and leaves nothing", async (t) => {
  const cases: [string, (hub: FakeHub) => void, RegExp][] = [
    [
      "more bytes than listed",
      ({ instead }) =>
        instead.set(large, (_, response) => void response.end(Buffer.concat([weights, weights]))),
      /expected \d+ bytes of model\.safetensors, got more|expected \d+ bytes of model\.safetensors, got an answer of \d+/,
    ],
    [
      "bytes without an end",
      ({ instead }) =>
        instead.set(large, (_, response) => {
          const more = () => void (response.writable && response.write(weights, more));
          more();
        }),
      /expected \d+ bytes of model\.safetensors, got more/,
    ],
    [
      "another length",
      ({ instead }) =>
        instead.set(large, (_, response) => {
          response.writeHead(200, { "content-length": 7 });
          response.end("1234567");
        }),
      /expected \d+ bytes of model\.safetensors, got an answer of 7/,
    ],
    [
      "fewer bytes, again and again",
      ({ instead }) =>
        instead.set(large, (_, response) => {
          response.write("1234567");
          response.end();
        }),
      /got 7 of \d+ bytes, 5 times in a row; try again later/,
    ],
    [
      "errors, again and again",
      ({ instead }) => instead.set(large, (_, response) => refuse(response, 503, "")),
      /got status 503, 5 times in a row/,
    ],
    [
      "another commit",
      ({ instead }) =>
        instead.set("/resolve/", (_, response) => {
          response.writeHead(200, { "x-repo-commit": "f".repeat(40) });
          response.end();
        }),
      /expected model\.safetensors of commit 0123456789abcdef0123456789abcdef01234567, got it of "ffff/,
    ],
    [
      "redirects without end",
      ({ instead }) =>
        instead.set("/resolve/", (request, response) => {
          response.writeHead(302, { location: request.url! });
          response.end();
        }),
      /expected a file, got more than 5 redirects/,
    ],
    [
      "a redirect to a file here",
      ({ instead }) =>
        instead.set("/resolve/", (_, response) => {
          response.writeHead(302, { location: "file:///etc/passwd" });
          response.end();
        }),
      /expected a redirect to an https address/,
    ],
    [
      "a name that leads elsewhere",
      (hub) => {
        hub.falsify = (entries) => Object.assign(entries[0]!, { path: "../../config.json" });
      },
      /expected plain names of files, got "\.\.\/\.\.\/config\.json"/,
    ],
    [
      "a checksum that leads elsewhere",
      (hub) => {
        hub.falsify = (entries) => Object.assign(entries[0]!, { oid: "../../../x" });
      },
      /expected a checksum of config\.json, got "\.\.\/\.\.\/\.\.\/x"/,
    ],
    [
      "no size",
      (hub) => {
        hub.falsify = (entries) => Object.assign(entries[0]!, { size: -1 });
      },
      /expected the size of config\.json, got -1/,
    ],
    [
      "a size that no disk has",
      (hub) => {
        hub.falsify = (entries) => Object.assign(entries.find(({ lfs }) => lfs)!.lfs!, { size: 2 ** 52 });
      },
      /expected 4294967296\.\d MiB of free space in \S+, got \d+\.\d MiB; HF_HOME chooses another place/,
    ],
    [
      "a listing without end",
      (hub) => {
        hub.falsify = (entries) => void entries.push(...Array.from({ length: 1000 }, () => entries[0]!));
        hub.pageSize = 1;
      },
      /expected a listing that ends, got page after page/,
    ],
    [
      "no JSON",
      ({ instead }) => instead.set("/api/", (_, response) => void response.end("<html>Sign in</html>")),
      /expected the answers of a hub from \S+, got something else; check HF_ENDPOINT/,
    ],
    [
      "no commit",
      ({ instead }) => instead.set("/revision/", (_, response) => void response.end("{}")),
      /expected the commit of the model, got none/,
    ],
    [
      "a list of nothing",
      ({ instead }) => instead.set("/tree/", (_, response) => void response.end("[null]")),
      /expected the answers of a hub/,
    ],
    [
      "too much",
      ({ instead }) => instead.set("/tree/", (_, response) => void response.end(Buffer.alloc(20 << 20, " "))),
      /expected an answer of at most 16777216 bytes, got more/,
    ],
  ];
  for (const [name, spoil, expected] of cases)
    await t.test(name, async (t) => {
      const { hub, fetch, left } = await setUp(t);
      spoil(hub);
      await refuses(fetch(), expected);
      assert.deepEqual(
        left().filter((name) => !name.endsWith(".part")),
        [],
      );
    });
});

test("a connection on which nothing comes any more is given up", async (t) => {
  const { hub, fetch } = await setUp(t, files, { stallMs: 50 });
  hub.instead.set(large, (_, response) => void response.write(weights.subarray(0, 10)));
  await refuses(
    fetch(),
    /^hf:acme\/tiny: expected an answer from \S+, got nothing for 0\.05 s, 5 times in a row/,
  );
  hub.instead.set("/api/", () => {});
  await refuses(fetch(), /got nothing for 0\.05 s, 5 times in a row/);
});

test("without a network there is one line at once", async (t) => {
  const closed = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => closed.once("listening", resolve));
  const { port } = closed.address() as { port: number };
  await new Promise((resolve) => closed.close(resolve));
  const { fetch } = await setUp(t, files, { endpoint: `http://127.0.0.1:${port}` });
  await refuses(
    fetch(),
    /^hf:acme\/tiny: expected an answer from 127\.0\.0\.1:\d+, got ECONNREFUSED; check the network and HF_ENDPOINT, or set HF_HUB_OFFLINE=1/,
  );
});

test("a server that is busy for a while is asked again", async (t) => {
  const { hub, fetch } = await setUp(t);
  let asked = 0;
  hub.instead.set("/revision/", (_, response) => {
    if (++asked === 2) hub.instead.delete("/revision/");
    response.writeHead(429, { "retry-after": "0" });
    response.end();
  });
  assert.deepEqual(readFileSync(await fetch()), weights);
  assert.equal(asked, 2);
});

test("a full disk is one line that names the cache", async (t) => {
  const disk = memoryDisk(t, 1);
  if (disk === null) return t.skip(NEEDS_ROOT);
  const { fetch } = await setUp(t, files, { cache: join(disk.path, "hub") });
  disk.fill(join(disk.path, "ballast"), 60_000);
  await refuses(
    fetch(),
    /^hf:acme\/tiny: expected 0\.\d MiB of free space in \S+, got 0\.\d MiB; HF_HOME chooses another place$/,
  );
  truncateSync(join(disk.path, "ballast"), 0);
  assert.deepEqual(readFileSync(await fetch()), weights);
});

test("a cache that can't be made is one line that names it", {
  skip: process.platform !== "linux" && "needs Linux",
}, async (t) => {
  const { fetch } = await setUp(t, files, { cache: "/proc/hub" });
  await refuses(
    fetch(),
    /^\/proc\/hub: expected a folder to keep downloads in, got ENOENT; HF_HOME chooses another place$/,
  );
});

test("what is no reference is refused with an example", async (t) => {
  const { fetch } = await setUp(t);
  for (const text of [
    "hf:",
    "hf:a/b@",
    "hf:../x",
    "hf:a/b/../c",
    "hf:a/b@../../x",
    "hf:a/b@%2e%2e/x",
    "hf:a b",
    "hf:a/b\\c",
    `hf:a/${"b".repeat(2000)}`,
  ])
    await refuses(fetch(text), /expected hf:owner\/name, hf:owner\/name@revision or hf:owner\/name\/FILE/);
});
