import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DockerfileParser, type Instruction } from "dockerfile-ast";
import { validate } from "dockerfile-utils";
import { parse } from "yaml";
import { writeFixtureModel } from "../models/fixtures/model.js";
import { environmentName, packageRoot, settings } from "../server/settings/config.js";
import { copyPackage } from "./installation.js";
import { ServerProcess } from "./server-process.js";

const read = (name: string) => readFileSync(join(packageRoot, name), "utf8");
const dockerfile = read("ops/Dockerfile");
const instructions = DockerfileParser.parse(dockerfile).getInstructions();
const names = (keyword: string, from: readonly Instruction[] = instructions) =>
  from.filter((instruction) => instruction.getKeyword() === keyword);
const words = (instruction: Instruction) => instruction.getArguments().map((word) => word.getValue());
/** The arguments of an instruction in exec form. */
const command = (instruction: Instruction) =>
  JSON.parse(/\[.*\]/s.exec(instruction.getTextContent())![0]) as string[];

const finalStage = instructions.slice(instructions.lastIndexOf(names("FROM").at(-1)!));
const [entrypoint, cmd, user, healthcheck] = ["ENTRYPOINT", "CMD", "USER", "HEALTHCHECK"].map((keyword) => {
  const found = names(keyword, finalStage);
  assert.equal(found.length, 1, keyword);
  return found[0]!;
});
const known = Object.values(settings).map(({ flag }) => environmentName(flag));

interface Copy {
  from: string | null;
  sources: string[];
  target: string;
}

function copyOf(instruction: Instruction): Copy {
  const [, from = null] = /--from=(\S+)/.exec(instruction.getTextContent()) ?? [];
  const paths = words(instruction);
  return { from, sources: paths.slice(0, -1), target: paths.at(-1)! };
}

/** Whether .dockerignore excludes a path: the last pattern that matches it or one of its folders decides. */
function ignored(path: string): boolean {
  const folders = path.split("/").map((_, index, parts) => parts.slice(0, index + 1).join("/"));
  let result = false;
  for (const line of read(".dockerignore").split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const source = line
      .replace(/^!/, "")
      .replace(/[.+]/g, "\\$&")
      .replace(/\*\*\/|\*/g, (star) => (star === "*" ? "[^/]*" : "(?:.*/)?"));
    const pattern = new RegExp(`^${source}$`);
    if (folders.some((folder) => pattern.test(folder))) result = !line.startsWith("!");
  }
  return result;
}

test("the Dockerfile is valid, and uses only Node's official image", () => {
  assert.deepEqual(validate(dockerfile), []);
  for (const from of names("FROM"))
    assert.match(from.getTextContent(), /^FROM node:24-bookworm-slim( AS \w+)?$/);
});

test("files that the Dockerfile copies exist and are not ignored", () => {
  const copies = names("COPY").map(copyOf);
  const sources = copies.filter(({ from }) => from === null).flatMap((copy) => copy.sources);
  assert.ok(sources.length > 0);
  for (const source of sources) {
    assert.ok(existsSync(join(packageRoot, source)), source);
    assert.equal(ignored(source), false, source);
  }
  const stages = names("FROM").map((from) => words(from).at(-1));
  for (const { from } of copies) assert.ok(from === null || stages.includes(from), String(from));
});

test("settings, other models, tests and local installations stay out of the image", () => {
  for (const path of [
    "ops/jai.env",
    ".env",
    "models/mine/config.json",
    "data",
    "server/serve/app.test.ts",
    "ckpt.pt",
  ])
    assert.equal(ignored(path), true, path);
  for (const path of ["node_modules/express", "dist", ".git", "server/clients/node_modules/openai"])
    assert.equal(ignored(path), true, path);
  for (const path of ["models/shape.ts", "models/import/graph/build.ts", "models/jai-small/onnx/model.onnx"])
    assert.equal(ignored(path), false, path);
});

test("the image runs as an unprivileged user, keeps jobs in a volume, and lets node get signals", () => {
  assert.match(words(user!)[0]!, /^[1-9]\d*:[1-9]\d*$/);
  assert.deepEqual(command(entrypoint!), ["node", "/app/dist/server/cli.js"]);
  assert.deepEqual(command(cmd!), ["serve"]);
  const [volume] = names("VOLUME", finalStage).map((instruction) => words(instruction)[0]);
  const variables = Object.fromEntries(
    words(names("ENV", finalStage)[0]!).map((word) => word.split("=") as [string, string]),
  );
  assert.equal(variables.JAI_DATA_DIR, volume);
  assert.equal(variables.JAI_HOST, "0.0.0.0");
  for (const name of Object.keys(variables))
    assert.ok(!name.startsWith("JAI_") || known.includes(name), name);
});

test("a server runs with the files of the last stage, and the health check reports whether its model is loaded", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "jai-container-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const files = names("COPY", finalStage)
    .map(copyOf)
    .flatMap(({ sources, target }) => {
      const paths = sources.map((source) => source.replace(/^\/app\//, ""));
      for (const path of paths) assert.ok(target === "./" ? !path.includes("/") : path === target, path);
      return paths;
    });
  const script = copyPackage(
    join(folder, "app"),
    files.filter((file) => file !== "node_modules"),
  );
  assert.equal(script, command(entrypoint!)[1]!.replace("/app", join(folder, "app")));

  const check = async (port: number) => {
    const [node, ...args] = command(healthcheck!);
    assert.equal(node, "node");
    const child = spawn(process.execPath, args, { env: { JAI_PORT: String(port) }, stdio: "inherit" });
    const [status] = (await once(child, "close")) as [number | null];
    return status;
  };
  const model = join(folder, "model");
  await writeFixtureModel(model, "int8");
  const server = await ServerProcess.ready(model, {}, script);
  t.after(() => server.kill("SIGKILL"));
  assert.equal(await check(server.port), 0);
  assert.equal((await server.stop()).code, 0);
  assert.equal(await check(server.port), 1);

  const loading = createServer((_request, response) => response.writeHead(503).end());
  loading.listen(0, "127.0.0.1");
  await once(loading, "listening");
  assert.equal(await check((loading.address() as AddressInfo).port), 1);
  loading.close();
});

test("the compose file hardens the container, keeps its jobs, and gives it time to stop", () => {
  const { services, volumes } = parse(read("ops/compose.yaml"));
  const service = services["jai-server"];
  assert.equal(service.read_only, true);
  assert.deepEqual(service.cap_drop, ["ALL"]);
  assert.deepEqual(service.security_opt, ["no-new-privileges:true"]);
  assert.deepEqual(service.tmpfs, ["/tmp"]);
  assert.equal(service.restart, "unless-stopped");
  assert.ok(Number(/^(\d+)s$/.exec(service.stop_grace_period)?.[1]) > settings.drainSeconds.default);
  assert.match(service.ports[0], /^127\.0\.0\.1:/);
  assert.ok(service.ports[0].endsWith(`:${service.environment.JAI_PORT}`));
  assert.ok(service.volumes.includes(`data:${service.environment.JAI_DATA_DIR}`));
  assert.deepEqual(Object.keys(volumes), ["data"]);
  for (const name of Object.keys(service.environment)) assert.ok(known.includes(name), name);
  assert.ok(existsSync(join(packageRoot, "ops", service.build.context, service.build.dockerfile)));
  assert.deepEqual(service.env_file, [{ path: "jai.env", required: false }]);
});
