// Runs before `npm start`, `npm test` and the package's other scripts. Installs the packages in the lock file and
// compiles the sources and builds the page, each only if it is missing or outdated, and one process at a time. Plain Node,
// since nothing is installed yet.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { takeLock } from "./prepare-lock.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const path = (...parts) => join(root, ...parts);
const read = (file) => (existsSync(file) ? readFileSync(file, "utf8") : "");

/** A digest of files' contents. Not of their times, which a checkout or a copy changes. */
function digest(files) {
  const hash = createHash("sha256");
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(path(file)))
      .update("\0");
  return hash.digest("hex");
}

/** All files of a folder whose names end with `ending`. */
function sources(folder, ending) {
  return readdirSync(path(folder), { withFileTypes: true }).flatMap((entry) => {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : sources(name, ending);
    return entry.name.endsWith(ending) ? [name] : [];
  });
}

function run(what, command, args, env = {}) {
  // On standard error, to keep the standard output of the actual command clean.
  process.stderr.write(`jai-server: ${what}\n`);
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", 2, 2],
    env: { ...process.env, ...env },
    shell: process.platform === "win32",
  });
  if (result.status !== 0) {
    process.stderr.write(`jai-server: failed: ${command} ${args.join(" ")}\n`);
    process.exit(result.status ?? 1);
  }
}

function assertWritable() {
  try {
    accessSync(root, constants.W_OK);
  } catch {
    process.stderr.write(`jai-server: not installed and built, and ${root} cannot be written; `);
    process.stderr.write("run `npm run build` there as a user who may\n");
    process.exit(1);
  }
}

function install() {
  // onnxruntime-node's install script would download CUDA libraries even without a GPU; `npm run setup:cuda` does that.
  run("installing dependencies", "npm", ["ci", "--no-audit", "--no-fund", "--include=dev"], {
    // `npm pack --dry-run` passes this variable on, and nothing would be installed.
    npm_config_dry_run: "false",
    ONNXRUNTIME_NODE_INSTALL: "skip",
    SCARF_ANALYTICS: "false",
    // `npm start` with NODE_ENV=production still needs the compiler, a development dependency.
    NODE_ENV: "development",
  });
}

function compile() {
  // Start from scratch: the output of a deleted source file would still be found and run. The page has its own step.
  if (existsSync(path("dist")))
    for (const name of readdirSync(path("dist")))
      if (name !== "page") rmSync(path("dist", name), { recursive: true, force: true });
  run("compiling", process.execPath, [path("node_modules/typescript/lib/tsc.js"), "-p", root]);
}

function buildPage() {
  const config = path("server/page/vite.config.ts");
  run("building the page", process.execPath, [
    path("node_modules/vite/bin/vite.js"),
    "build",
    "--config",
    config,
  ]);
}

/** Reading the document as YAML took a fifth of the time of a start. */
async function writeDocument() {
  const { parse } = await import("yaml");
  const document = parse(readFileSync(path("openapi.yaml"), "utf8"));
  writeFileSync(path("dist/openapi.json"), JSON.stringify(document));
}

const compiled = ["server", "workers", "models", "ops"].flatMap((folder) => sources(folder, ".ts")).sort();
const ofPage = sources("server/page", "").sort();
/** The steps in their order. A step is done unless the file `stamp` says that it was done for this `state`. */
const steps = [
  {
    stamp: path("node_modules/.jai-installed"),
    state: digest(["package.json", "package-lock.json"]),
    work: install,
  },
  {
    stamp: path("dist/.built"),
    state: digest(["tsconfig.json", "package-lock.json", ...compiled]),
    work: compile,
  },
  {
    stamp: path("dist/page/.built"),
    state: digest(["package-lock.json", ...ofPage]),
    work: buildPage,
  },
  {
    stamp: path("dist/.document"),
    state: digest(["package-lock.json", "openapi.yaml"]),
    work: writeDocument,
  },
];
const isDone = ({ stamp, state }) => read(stamp) === state;

if (!steps.every(isDone)) {
  assertWritable();
  const release = await takeLock(root, () =>
    process.stderr.write("jai-server: waiting for another command that prepares this folder\n"),
  );
  for (const step of steps) {
    // The other command may have done it.
    if (isDone(step)) continue;
    rmSync(step.stamp, { force: true });
    await step.work();
    mkdirSync(dirname(step.stamp), { recursive: true });
    writeFileSync(step.stamp, step.state);
  }
  release();
}
