// The rooms of the code, and which rooms each may import. Imports run one way; a room missing from the table fails.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { test } from "node:test";

/** For each room, the rooms that it may import beside itself. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  "models/files": [],
  "models/tokenizer": ["models/files"],
  "models/template": [],
  models: ["models/files", "models/template", "models/tokenizer"],
  "models/import": [
    "models",
    "models/files",
    "models/template",
    "models/tokenizer",
    "workers/engine",
    "workers/onnx",
  ],
  "models/export": ["models", "models/files", "models/import", "models/tokenizer"],
  "models/recipe": ["models/tokenizer"],

  "workers/engine": ["models", "models/tokenizer"],
  "workers/grammar": ["models/files", "models/tokenizer", "workers/engine"],
  "workers/onnx": ["models", "workers/engine"],
  workers: [
    "models",
    "models/files",
    "models/tokenizer",
    "workers/engine",
    "workers/grammar",
    "workers/onnx",
  ],

  // Leaves: the log and small helpers.
  server: [],
  "server/settings": ["server"],
  "server/errors": [],
  "server/telemetry": ["server/errors"],
  "server/tracing": ["server", "server/settings", "server/telemetry"],
  "server/plan": ["server/settings", "models", "workers"],
  "server/queue": ["server/errors"],
  "server/pool": ["server", "server/errors", "models", "workers", "workers/engine", "workers/onnx"],
  "server/threads": ["server/queue"],
  "server/forms": ["server", "server/errors", "server/queue", "server/threads", "workers"],
  "server/texts": [
    "server",
    "server/errors",
    "server/queue",
    "server/threads",
    "models",
    "models/files",
    "models/tokenizer",
    "workers",
  ],
  "server/keys": ["server", "server/errors", "server/queue", "server/settings", "server/store"],
  "server/streams": ["server/errors", "server/pool", "server/queue", "workers"],
  "server/http": [
    "server",
    "server/errors",
    "server/settings",
    "server/streams",
    "server/telemetry",
    "models",
    "models/tokenizer",
  ],
  "server/requests": [
    "server/errors",
    "server/forms",
    "server/keys",
    "server/pool",
    "server/queue",
    "server/streams",
    "server/telemetry",
    "server/texts",
    "models",
    "models/files",
    "models/tokenizer",
    "workers",
  ],
  // Runs in a browser.
  "server/page": [],
  "server/store": ["server", "server/settings"],
  "server/idempotency": ["server", "server/errors", "server/http", "server/store"],
  "server/jobs": [
    "server",
    "server/errors",
    "server/forms",
    "server/http",
    "server/keys",
    "server/pool",
    "server/queue",
    "server/requests",
    "server/store",
    "server/streams",
    "server/telemetry",
    "server/texts",
  ],
  "server/webhooks": ["server", "server/jobs"],
  "server/live": [
    "server",
    "server/errors",
    "server/keys",
    "server/plan",
    "server/pool",
    "server/queue",
    "server/streams",
    "server/telemetry",
    "models",
    "workers",
  ],
  "server/metrics": [
    "server/errors",
    "server/live",
    "server/plan",
    "server/queue",
    "server/telemetry",
    "models",
    "workers",
  ],
  "server/routes": [
    "server",
    "server/errors",
    "server/forms",
    "server/http",
    "server/idempotency",
    "server/jobs",
    "server/keys",
    "server/live",
    "server/metrics",
    "server/plan",
    "server/pool",
    "server/queue",
    "server/requests",
    "server/settings",
    "server/store",
    "server/streams",
    "server/telemetry",
    "server/texts",
    "server/webhooks",
    "models",
  ],
  "server/serve": [
    "server",
    "server/errors",
    "server/forms",
    "server/http",
    "server/idempotency",
    "server/jobs",
    "server/keys",
    "server/live",
    "server/metrics",
    "server/plan",
    "server/pool",
    "server/queue",
    "server/requests",
    "server/routes",
    "server/settings",
    "server/store",
    "server/streams",
    "server/telemetry",
    "server/texts",
    "server/tracing",
    "server/webhooks",
    "models",
  ],
  "server/library": [
    "server",
    "server/errors",
    "server/http",
    "server/keys",
    "server/requests",
    "server/serve",
    "server/settings",
    "models/import",
  ],
  "server/cli": [
    "server",
    "server/library",
    "server/plan",
    "server/serve",
    "server/settings",
    "server/store",
    "models",
    "models/export",
    "models/template",
    "ops/bench",
  ],
};

const root = resolve(".");
/** Tests and their helpers may import anything. */
const isTest = (file: string) => /\.test\.ts$|fixture|^ops\//.test(file);

const files = ["server", "workers", "models"].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name).replaceAll("\\", "/"))
    .filter((file) => /\.tsx?$/.test(file) && !file.includes("node_modules") && !isTest(file)),
);

function roomOf(file: string): string {
  if (file === "server/cli.ts") return "server/cli";
  return dirname(file).split("/").slice(0, 2).join("/");
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(root, file), "utf8");
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"(\.[^"]+)"/g)].map(([, specifier]) =>
    relative(root, resolve(dirname(file), specifier!))
      .replaceAll("\\", "/")
      .replace(
        /\.js$/,
        existsSync(join(root, dirname(file), specifier!.replace(/js$/, "tsx"))) ? ".tsx" : ".ts",
      ),
  );
}

test("rooms import only rooms that the table allows", () => {
  const wrong = files.flatMap((file) => {
    const allowed = arrows[roomOf(file)];
    if (allowed === undefined) return [`${file}: expected a room of the table, got ${roomOf(file)}`];
    return importsOf(file)
      .filter((imported) => roomOf(imported) !== roomOf(file) && !allowed.includes(roomOf(imported)))
      .map((imported) => `${file} → ${imported}`);
  });
  assert.deepEqual(wrong, []);
});

test("the table has no unused arrows", () => {
  const needed = new Set(
    files.flatMap((file) => importsOf(file).map((imported) => `${roomOf(file)} → ${roomOf(imported)}`)),
  );
  const listed = Object.entries(arrows).flatMap(([room, others]) =>
    others.map((other) => `${room} → ${other}`),
  );
  assert.deepEqual(
    listed.filter((arrow) => !needed.has(arrow)),
    [],
  );
});

/** Finds a cycle in a graph: a path that leads back to its start, or null. */
function findCycle(nodes: readonly string[], next: (node: string) => readonly string[]): string[] | null {
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): string[] | null => {
    if (path.includes(node)) return [...path.slice(path.indexOf(node)), node];
    if (finished.has(node)) return null;
    path.push(node);
    for (const one of next(node)) {
      const found = visit(one);
      if (found) return found;
    }
    path.pop();
    finished.add(node);
    return null;
  };
  for (const node of nodes) {
    const found = visit(node);
    if (found) return found;
  }
  return null;
}

test("rooms have no import cycles", () => {
  assert.equal(
    findCycle(Object.keys(arrows), (room) => (arrows[room] ?? []).filter((one) => one !== room)),
    null,
  );
});

test("files have no import cycles", () => {
  assert.equal(findCycle(files, importsOf), null);
});
