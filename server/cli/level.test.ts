// SIGUSR2 switches the level of a real server's log.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { writeFixtureModel } from "../../models/fixtures/model.js";
import { ServerProcess } from "../../ops/server-process.js";

const folder = mkdtempSync(join(tmpdir(), "jai-level-"));
const model = join(folder, "model");
before(() => writeFixtureModel(model, "int8"));
after(() => {
  ServerProcess.killAll();
  rmSync(folder, { recursive: true });
});

/** Resolves when the output has a line so many times. */
async function says(server: ServerProcess, line: string, times = 1) {
  while (server.output.split(line).length <= times) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** How often a probe's end is logged, which only the level debug has. */
const probes = ({ output }: ServerProcess) =>
  output.split(" - DEBUG - ").filter((line) => line.includes("GET /live")).length;

describe("SIGUSR2", { skip: process.platform === "win32" && "needs POSIX signals" }, () => {
  test("switches the log's level to debug and back, as often as it comes", async () => {
    const server = await ServerProcess.ready(model);
    for (const times of [1, 2]) {
      server.kill("SIGUSR2");
      await says(server, "DEBUG - the log's level is debug, and was info\n", times);
      await server.request("GET", "/live");
      await says(server, "GET /live: 200", times);
      server.kill("SIGUSR2");
      await says(server, "DEBUG - the log's level is info again\n", times);
      await server.request("GET", "/live");
    }
    assert.equal((await server.stop()).code, 0);
    assert.equal(probes(server), 2);
  });

  test("at the level debug it says so", async () => {
    const server = await ServerProcess.ready(model, { JAI_LOG_LEVEL: "debug" });
    server.kill("SIGUSR2");
    await says(server, "the log's level is debug already");
    await server.stop();
  });

  test("goes through the parent of JAI_RESTART=on, and holds for the next child", {
    skip: process.platform !== "linux" && "needs /proc",
  }, async () => {
    const server = await ServerProcess.ready(model, { JAI_RESTART: "on" });
    const raised = "the log's level is debug, and was info";
    // A child that is not ready yet is told later.
    server.kill("SIGUSR2");
    await says(server, raised);
    const child = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8");
    process.kill(Number(child), "SIGSEGV");
    await says(server, "it starts again in");
    await says(server, raised, 2);
    await server.request("GET", "/live");
    await says(server, "GET /live: 200");
    server.kill("SIGUSR2");
    await says(server, "the log's level is info again");
    assert.equal((await server.stop()).code, 0);
  });
});
