import assert from "node:assert/strict";
import { get, type IncomingHttpHeaders } from "node:http";
import { type TestContext, test } from "node:test";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { serveStandIn } from "../fixtures/stand-in.js";
import { Callers } from "../keys/callers.js";
import { hashKey, unlimited } from "../settings/key.js";
import { readPage } from "./page.js";

/** What browsers send. */
const BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";
/** All that a first visit loads, compressed. */
const MOST_BYTES = 150_000;

interface Got {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** GETs a path as a client of HTTP does that decodes nothing. */
function fetchRaw(url: string, headers: Record<string, string> = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    get(url, { headers }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(pieces) }),
      );
    }).on("error", reject);
  });
}

const serveKeyed = (context: TestContext) =>
  serveStandIn(context, {
    callers: new Callers([{ name: "a", hash: hashKey("one"), priority: 0, limits: unlimited }]),
  });

test("/ is the page for browsers, and JSON for programs", async (context) => {
  const { url } = await serveStandIn(context);
  const json = '{"status":"ok","message":"jai-server is running"}';
  for (const accept of [
    undefined,
    "*/*",
    "application/json",
    "text/*;q=0.5, application/json",
    "image/png",
  ]) {
    const { status, headers, body } = await fetchRaw(`${url}/`, accept === undefined ? {} : { accept });
    assert.deepEqual([status, body.toString(), headers.vary], [200, json, "Accept"], accept);
    assert.equal(headers["content-type"], "application/json; charset=utf-8");
  }
  for (const accept of [BROWSER, "text/html", "text/*", "text/html, application/json"]) {
    const { status, headers, body } = await fetchRaw(`${url}/`, { accept });
    assert.deepEqual([status, headers["content-type"]], [200, "text/html; charset=utf-8"], accept);
    assert.equal(headers.vary, "Accept, Accept-Encoding");
    assert.match(body.toString(), /^<!doctype html>/);
  }
});

test("the page may run only its own files, and no other page may frame it", async (context) => {
  const { url } = await serveStandIn(context);
  const { headers, body } = await fetchRaw(`${url}/`, { accept: BROWSER });
  const policy = new Map(
    headers["content-security-policy"]!.toString()
      .split("; ")
      .map((directive) => [directive.split(" ")[0]!, directive.split(" ").slice(1).join(" ")]),
  );
  for (const name of ["default-src", "base-uri", "form-action", "frame-ancestors"])
    assert.equal(policy.get(name), "'none'", name);
  for (const name of ["script-src", "style-src", "connect-src", "img-src"])
    assert.equal(policy.get(name), "'self'", name);
  assert.doesNotMatch(body.toString(), /<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|https?:/);
});

test("the page's files are open without a key, cached for good, and compressed as the client accepts", async (context) => {
  const { url } = await serveKeyed(context);
  const page = await fetchRaw(`${url}/`, { accept: BROWSER });
  assert.equal(page.status, 200);
  const links = [...page.body.toString().matchAll(/(?:src|href)="(\.\/page\/[^"]+)"/g)].map(
    ([, link]) => link!,
  );
  assert.ok(links.some((link) => link.endsWith(".js")) && links.some((link) => link.endsWith(".css")));
  for (const link of links) {
    const address = new URL(link, `${url}/`).href;
    const plain = await fetchRaw(address);
    assert.deepEqual([plain.status, plain.headers["content-encoding"]], [200, undefined], link);
    assert.equal(plain.headers["cache-control"], "public, max-age=31536000, immutable");
    const br = await fetchRaw(address, { "accept-encoding": "gzip, deflate, br" });
    assert.equal(br.headers["content-encoding"], "br");
    assert.deepEqual(brotliDecompressSync(br.body), plain.body);
    const gzip = await fetchRaw(address, { "accept-encoding": "gzip" });
    assert.equal(gzip.headers["content-encoding"], "gzip");
    assert.deepEqual(gunzipSync(gzip.body), plain.body);
    assert.equal(gzip.headers.vary, "Accept-Encoding");
  }
  assert.equal((await fetchRaw(`${url}/page/other.js`)).status, 401);
});

test("the page is small", () => {
  const { document, files } = readPage();
  const bytes = [document!, ...files.values()].reduce((sum, { gzip }) => sum + gzip.length, 0);
  assert.ok(bytes <= MOST_BYTES, `${bytes} bytes`);
});

test("without a built page, browsers get the JSON, too", () => {
  assert.deepEqual(readPage("no-such-folder"), { document: null, files: new Map() });
});
