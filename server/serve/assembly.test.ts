import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { serveStandIn } from "../fixtures/stand-in.js";
import { Assembly } from "./assembly.js";

test("if the app can't be loaded, requests that wait for it end, on both ports", async (context) => {
  const { assembly: made } = await serveStandIn(context);
  const dataDir = mkdtempSync(join(tmpdir(), "jai-assembly-"));
  // No document: the app can't be made of it.
  const assembly = await Assembly.open({ ...made.parts, dataDir, document: {} as never });
  context.after(async () => {
    await assembly.close();
    rmSync(dataDir, { recursive: true });
  });
  const api = assembly.createHttpServer();
  const scrapes = assembly.createMetricsServer();
  for (const server of [api, scrapes]) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    context.after(() => server.close());
  }
  const { answer, loaded } = assembly.loadApp();
  api.on("request", answer);
  const ends = [api, scrapes].map((server) => {
    const { port } = server.address() as AddressInfo;
    return assert.rejects(fetch(`http://127.0.0.1:${port}/metrics`), /fetch failed/);
  });
  await assert.rejects(loaded);
  await Promise.all(ends);
});
