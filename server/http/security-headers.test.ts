import assert from "node:assert/strict";
import { test } from "node:test";
import { serveStandIn } from "../fixtures/stand-in.js";

test("all answers, errors included, carry restrictive security headers", async (context) => {
  const { url } = await serveStandIn(context);
  for (const path of ["/", "/health", "/openapi.json", "/nothing"]) {
    const { headers } = await fetch(url + path);
    assert.equal(headers.get("content-security-policy"), "default-src 'none';frame-ancestors 'none'");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("x-frame-options"), "DENY");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("cross-origin-resource-policy"), "same-origin");
    assert.equal(headers.get("strict-transport-security"), null, "left to the proxy");
    assert.equal(headers.get("x-powered-by"), null);
  }
});

for (const page of ["/docs", "/redoc"]) {
  test(`${page}'s own policy allows what the page loads, and its assets have the right types`, async (context) => {
    const { url } = await serveStandIn(context);
    const response = await fetch(url + page);
    const policy = response.headers.get("content-security-policy")!;
    const sources = new Map(
      policy.split(";").map((one) => [one.trim().split(" ", 1)[0], one.trim().split(" ").slice(1)]),
    );
    const allows = (directive: string, source: string) =>
      (sources.get(directive) ?? sources.get("default-src"))!.includes(source);
    assert.ok(allows("script-src", "'self'") && allows("connect-src", "'self'"));
    assert.ok(allows("style-src", "'self'") && allows("style-src", "'unsafe-inline'"));
    assert.ok(allows("img-src", "'self'") && allows("img-src", "data:"));
    assert.ok(allows("worker-src", "blob:"));
    const html = await response.text();
    assert.doesNotMatch(html, /<script(?![^>]* src=)[^>]*>\s*\S/, "no script in the page itself");
    const assets = [...html.matchAll(/<(script|link)[^>]* (?:src|href)="([^"]+)"/g)].filter(
      ([, , path]) => !path!.startsWith("data:"),
    );
    assert.ok(assets.length > 0);
    for (const [, element, path] of assets) {
      const asset = await fetch(new URL(path!, url + page));
      assert.equal(asset.status, 200, path);
      assert.equal(new URL(asset.url).origin, url);
      const expected = element === "script" ? /javascript/ : /^(text\/css|image\/png)/;
      assert.match(asset.headers.get("content-type")!, expected, path);
      await asset.arrayBuffer();
    }
  });
}
