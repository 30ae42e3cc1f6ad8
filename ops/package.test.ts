// Tests the content of the npm package, and that it works in another project.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, posix, relative } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { checkpoint } from "../models/fixtures/checkpoint-writer.js";
import { gpt } from "../models/fixtures/gpt.js";
import { byteTokenizer, FIXTURE_SIZES } from "../models/fixtures/model.js";
import { packageRoot } from "../server/settings/config.js";

const run = promisify(execFile);

interface Packed {
  filename: string;
  size: number;
  files: { path: string; size: number; mode: number }[];
}

/**
 * Caps on the whole package, on its compiled code and declarations, and on the built page, plain and compressed; most of
 * the rest is the two models.
 */
const MOST_BYTES = 10 * 2 ** 20;
const MOST_CODE_BYTES = 1.6 * 2 ** 20;
const MOST_PAGE_BYTES = 5 * 2 ** 16;
/** openapi.yaml, as the server reads it. */
const CONTRACT = "dist/openapi.json";
/** What a browser loads at most, all views together. */
const MOST_LOADED_BYTES = 150_000;

const folder = mkdtempSync(join(tmpdir(), "jai-package-"));
let packed: Packed;
before(async () => {
  // No scripts: `prepack` would build again what the tests are running.
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
  const { stdout } = await run("npm", args, { cwd: packageRoot, shell: process.platform === "win32" });
  [packed] = JSON.parse(stdout);
});
after(() => rmSync(folder, { recursive: true }));

/** The compiled modules that the command line and the library load, as paths in the package. */
function modulesInUse(): Set<string> {
  const found = new Set<string>();
  const visit = (path: string) => {
    // The benchmark is no part of the package; `jai bench` says so.
    if (found.has(path) || path.startsWith("dist/ops/")) return;
    found.add(path);
    const code = readFileSync(join(packageRoot, path), "utf8");
    for (const [, name] of code.matchAll(/(?:from |import |import\(|new URL\()"(\.[^"]+\.js)"/g))
      visit(posix.join(posix.dirname(path), name!));
  };
  visit("dist/server/cli.js");
  visit("dist/server/library/index.js");
  return found;
}

/** Whether a compiled module is empty, since its source has only types. */
const isEmpty = (path: string) =>
  readFileSync(join(packageRoot, path), "utf8")
    .replace(/^\/(\/.*|\*[\s\S]*?\*\/)$/gm, "")
    .trim() === "export {};";

describe("the package", () => {
  const paths = () => packed.files.map(({ path }) => path);
  const modules = () => paths().filter((path) => /^dist\/(?!page\/).*\.js$/.test(path));

  it("is built before it is packed, even in a fresh clone", () => {
    const { scripts } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
    assert.equal(scripts.prepack, scripts.build);
  });

  it("has exactly the modules in use", () => {
    const inUse = modulesInUse();
    const missing = [...inUse].filter((path) => !modules().includes(path));
    const idle = modules().filter((path) => !inUse.has(path) && !isEmpty(path));
    assert.deepEqual({ missing, idle }, { missing: [], idle: [] });
    assert.ok(inUse.has("dist/workers/generate.js"));
  });

  it("has the models, the contract, the pages and the files to run it, and no development files", () => {
    const others = paths().filter((path) => !path.startsWith("dist/") || path === CONTRACT);
    assert.deepEqual(
      others.toSorted(),
      [
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        ...readdirSync(join(packageRoot, "docs"), { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => relative(packageRoot, join(entry.parentPath, entry.name)).replaceAll("\\", "/")),
        ...["models/jai-small", "models/jai-tiny-english"].flatMap((model) => [
          ...["config.json", "generation_config.json", "onnx/model.onnx"].map((name) => `${model}/${name}`),
          ...readdirSync(join(packageRoot, model))
            .filter((name) => !["config.json", "generation_config.json", "onnx"].includes(name))
            .map((name) => `${model}/${name}`),
        ]),
        ...["LICENSE", "vocab.bpe.br"].map((name) => `models/import/tokenizer/gpt2/${name}`),
        CONTRACT,
        "openapi.yaml",
        "ops/grafana/jai-server.json",
        "ops/jai-server.plist",
        "ops/jai-server.service",
        "ops/jai.env.example",
        "ops/jai.sh",
        "ops/prometheus/alerts.yml",
        "ops/prometheus/prometheus.yml",
        "package.json",
        ...readdirSync(join(packageRoot, "server/assets")).map((name) => `server/assets/${name}`),
      ].toSorted(),
    );
    const odd = paths()
      .filter((path) => !path.startsWith("docs/"))
      .filter((path) => /\.test\.|\.map$|fixture|bench|buildinfo|recipe|\.py$|(?<!\.d)\.ts$/.test(path));
    assert.deepEqual(odd, []);
  });

  it("has the page, built", () => {
    const page = paths().filter((path) => path.startsWith("dist/page/"));
    assert.deepEqual(
      page.toSorted(),
      readdirSync(join(packageRoot, "dist/page"), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name !== ".built")
        .map((entry) => relative(packageRoot, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
        .toSorted(),
    );
    const document = readFileSync(join(packageRoot, "dist/page/index.html"), "utf8");
    const links = [...document.matchAll(/"\.\/(page\/[^"]+)"/g)].map(([, link]) => `dist/page/${link}`);
    assert.ok(links.length >= 3);
    for (const link of links)
      for (const ending of ["", ".br", ".gz"]) assert.ok(page.includes(link + ending), link + ending);
  });

  it("has the library's declarations, which import no other files", () => {
    const declarations = paths().filter((path) => path.endsWith(".d.ts"));
    assert.ok(declarations.includes("dist/server/library/index.d.ts"));
    for (const path of declarations)
      for (const [, name] of readFileSync(join(packageRoot, path), "utf8").matchAll(
        /^(?:import|export) .* from "([^"]+)"/gm,
      ))
        assert.ok(
          declarations.includes(posix.join(dirname(path), name!.replace(/\.js$/, ".d.ts"))),
          `${path}: ${name}`,
        );
  });

  it("is small", () => {
    assert.ok(packed.size < MOST_BYTES, `${packed.size} bytes`);
    const bytesOf = (form: RegExp) =>
      packed.files.filter(({ path }) => form.test(path)).reduce((sum, { size }) => sum + size, 0);
    const bytes = bytesOf(/^dist\/(?!page\/|openapi\.json$)/);
    assert.ok(bytes < MOST_CODE_BYTES, `${bytes} bytes of code`);
    const page = bytesOf(/^dist\/page\//);
    assert.ok(page < MOST_PAGE_BYTES, `${page} bytes of the page`);
    const loaded = bytesOf(/^dist\/page\/.*\.gz$/);
    assert.ok(loaded > 0 && loaded < MOST_LOADED_BYTES, `${loaded} bytes of the page, compressed`);
  });
});

/** A program that uses the whole library once and prints the results. */
const program = `
import { type GenerateOptions, importCheckpoint, JaiError, type Model, openModel, openServer } from "jai-server";

const imported = await importCheckpoint({ checkpoint: "ckpt.pt", tokenizer: "tokenizer.json", out: "mine" });
const name: string = imported.config.name;
const options: GenerateOptions = { prompt: "abc", maxTokens: 20, seed: 7, ignoreEos: true };

const model: Model = await openModel("mine", { threads: 1, concurrency: 4 });
const whole = await model.generate(options);
let streamed = "";
for await (const { text } of model.stream(options)) streamed += text;
const refusal = await model.generate({ ...options, topK: -1 }).catch((error: unknown) => error);
await model.close();

// @ts-expect-error there is no such option
const wrong: GenerateOptions = { prompt: "abc", max_tokens: 20 };

const server = await openServer({ model: "mine", port: 0, dataDir: "data", threads: 1, concurrency: 4 });
const url = await server.listen();
await server.ready;
const response = await fetch(\`\${url}/generate\`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ prompt: "abc", max_tokens: 20, seed: 7, ignore_eos: true }),
});
const answer = (await response.json()) as { generated: string };
await server.close();
await server.closed;
console.log(JSON.stringify({
  name,
  tokens: whole.usage.completionTokens,
  streamed: streamed === whole.generated,
  overHttp: answer.generated === whole.generated,
  refusal: refusal instanceof JaiError ? refusal.message : refusal,
  wrong: Object.keys(wrong),
}));
`;

describe("the package, installed in another project", () => {
  const project = join(folder, "a project");
  const at = (...parts: string[]) => join(project, ...parts);
  const installed = at("node_modules/jai-server");
  const cli = join(installed, "dist/server/cli.js");
  const node = (...args: string[]) => run(process.execPath, args, { cwd: project });

  before(async () => {
    mkdirSync(installed, { recursive: true });
    await run("tar", ["xzf", join(folder, packed.filename), "-C", installed, "--strip-components=1"]);
    linkDependencies(at("node_modules"));
    writeFileSync(at("package.json"), '{ "type": "module" }');
    const { vocab } = FIXTURE_SIZES;
    const cfg = { block_size: 32, n_layer: 1, n_head: 2, n_embd: 32, dropout: 0 };
    const state = gpt({ vocab, layers: 1, width: 32, context: 32 });
    writeFileSync(at("ckpt.pt"), checkpoint({ cfg, model: state }));
    writeFileSync(at("tokenizer.json"), JSON.stringify(byteTokenizer()));
  });

  it("type-checks and runs a program that imports, generates, streams and serves", async () => {
    writeFileSync(at("program.ts"), program);
    const options = {
      module: "NodeNext",
      target: "ES2023",
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      types: ["node"],
      typeRoots: [join(packageRoot, "node_modules/@types")],
    };
    writeFileSync(at("tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["program.ts"] }));
    const tsc = join(packageRoot, "node_modules/typescript/lib/tsc.js");
    await node(tsc, "-p", ".").catch(({ stdout }) => assert.fail(stdout));
    const { stdout, stderr } = await node("program.js");
    assert.equal(stderr, "");
    assert.deepEqual(JSON.parse(stdout), {
      name: "mine",
      tokens: 20,
      streamed: true,
      overHttp: true,
      refusal: "topK: expected at least 0, got -1",
      wrong: ["prompt", "max_tokens"],
    });
  });

  it("has every command except the benchmark, which says so", async () => {
    for (const command of ["import", "serve", "chat"])
      assert.match((await node(cli, command, "--help")).stdout, new RegExp(`^Usage: jai ${command}`));
    await assert.rejects(node(cli, "bench"), {
      code: 1,
      stdout: "",
      stderr:
        "jai bench: expected a checkout of the repository, got the npm package, which has no benchmark\n",
    });
  });

  it("imports, and serves pages, contract and texts in the background, with its files in the project's folder", {
    skip: process.platform === "win32",
  }, async (t) => {
    const flags = ["--tokenizer", "tokenizer.json", "--out", "served", "--precision", "fp32"];
    await node(cli, "import", "ckpt.pt", ...flags);
    const port = await freePort();
    writeFileSync(at("jai.env"), `JAI_MODEL=served\nJAI_PORT=${port}\nJAI_DATA_DIR=data2\n`);
    const env = { PATH: process.env.PATH };
    const script = (command: string) => run(join(installed, "ops/jai.sh"), [command], { cwd: project, env });
    t.after(() => script("stop"));
    const { stdout } = await script("start");
    assert.match(stdout, new RegExp(`^jai-server runs \\(pid \\d+, http://127.0.0.1:${port}\\)\n$`));
    const pages = ["/", "/health", "/docs", "/docs/swagger-ui.css", "/redoc", "/redoc/redoc.standalone.js"];
    for (const path of [...pages, "/openapi.json", "/v1/models"])
      assert.equal((await fetch(`http://127.0.0.1:${port}${path}`)).status, 200, path);
    // The pid file has the parent, which outlives its crashed child.
    const [, pid] = /pid (\d+)/.exec(stdout)!;
    if (process.platform === "linux") {
      process.kill(Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")), "SIGSEGV");
      const log = () => readFileSync(at(".run/jai-server.log"), "utf8");
      while (log().split(" - ready: ").length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
      const { stdout: status } = await script("status");
      assert.match(status, new RegExp(`pid ${pid}, .*\\n.*"model_loaded":true`));
    }
    assert.match((await script("stop")).stdout, /has stopped\n$/);
    assert.match(readFileSync(at(".run/jai-server.log"), "utf8"), / - stopped\n$/);
    assert.ok(!existsSync(join(installed, ".run")));
  });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/**
 * Links the packages that `npm install` would install beside it: those in the lock file that aren't for development.
 */
function linkDependencies(target: string): void {
  const lock = JSON.parse(readFileSync(join(packageRoot, "package-lock.json"), "utf8"));
  const entries = Object.entries(lock.packages as Record<string, { dev?: boolean; devOptional?: boolean }>);
  for (const [path, { dev, devOptional }] of entries) {
    const name = path.slice("node_modules/".length);
    if (path === "" || dev || devOptional || name.includes("node_modules/")) continue;
    const source = join(packageRoot, path);
    if (lstatSync(source, { throwIfNoEntry: false }) === undefined) continue;
    mkdirSync(dirname(join(target, name)), { recursive: true });
    symlinkSync(source, join(target, name), "junction");
  }
}
