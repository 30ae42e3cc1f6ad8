import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { callbackSender, checkCallbackUrl } from "./callback-request.js";

const notPublic = "expected a public address; JAI_CALLBACK_PRIVATE=allow permits others";

for (const [url, wrong] of [
  ["ftp://example.com/", "expected an http or https URL"],
  ["file:///etc/passwd", "expected an http or https URL"],
  ["example.com", "expected an http or https URL"],
  ["", "expected an http or https URL"],
  ["http://anna:secret@example.com/", "expected a URL without user name and password"],
  [`http://example.com/${"x".repeat(2048)}`, "expected a URL of at most 2048 characters"],
  ["http://127.0.0.1/", notPublic],
  ["http://2130706433/", notPublic],
  ["http://0x7f.1/", notPublic],
  ["http://0177.0.0.1/", notPublic],
  ["http://127.1:8000/", notPublic],
  ["http://169.254.169.254/latest/meta-data/", notPublic],
  ["http://[::1]/", notPublic],
  ["http://[::ffff:10.0.0.1]/", notPublic],
  ["http://localhost:8000/", notPublic],
  ["http://LOCALHOST./", notPublic],
  ["http://jai.localhost/", notPublic],
] as const) {
  test(`${url.slice(0, 60) || "nothing"} is refused as a callback`, () => {
    assert.equal(checkCallbackUrl(url, "refuse"), wrong);
    const isOnlyPrivate = wrong === notPublic;
    assert.equal(checkCallbackUrl(url, "allow"), isOnlyPrivate ? null : wrong);
  });
}

test("public addresses and host names are accepted", () => {
  for (const url of ["https://example.com/hook?x=1", "http://1.1.1.1:8080/", "https://[2606:4700::1111]/"])
    assert.equal(checkCallbackUrl(url, "refuse"), null);
});

async function receiver(context: TestContext, listener: RequestListener) {
  const requests: { method: string; headers: IncomingMessage["headers"]; body: string }[] = [];
  const server = createServer(async (req, res) => {
    let body = "";
    for await (const chunk of req) body += chunk;
    requests.push({ method: req.method!, headers: req.headers, body });
    listener(req, res);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { requests, port: (server.address() as AddressInfo).port };
}

const callback = (url: string) => ({ url, headers: { "webhook-id": "1" }, body: '{"text":"안녕"}' });

test("a callback is a POST of JSON with the given headers", async (context) => {
  const { requests, port } = await receiver(context, (_req, res) => res.writeHead(204).end());
  const status = await callbackSender({ addresses: "allow" })(callback(`http://127.0.0.1:${port}/hook`));
  assert.equal(status, 204);
  const [{ method, headers, body }] = requests as [(typeof requests)[number]];
  assert.equal(method, "POST");
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["webhook-id"], "1");
  assert.equal(body, '{"text":"안녕"}');
});

test("a redirect is not followed", async (context) => {
  const { requests, port } = await receiver(context, (_req, res) =>
    res.writeHead(307, { location: "/elsewhere" }).end(),
  );
  assert.equal(await callbackSender({ addresses: "allow" })(callback(`http://127.0.0.1:${port}/`)), 307);
  assert.equal(requests.length, 1);
});

test("an endless answer is not read", async (context) => {
  const { port } = await receiver(context, (_req, res) => {
    res.writeHead(200);
    const pour = () => {
      while (!res.destroyed && res.write("x".repeat(65_536)));
    };
    res.on("drain", pour);
    pour();
  });
  assert.equal(await callbackSender({ addresses: "allow" })(callback(`http://127.0.0.1:${port}/`)), 200);
});

test("a receiver that doesn't answer runs into the timeout", async (context) => {
  const { port } = await receiver(context, () => {});
  const send = callbackSender({ addresses: "allow", timeoutMs: 50 });
  await assert.rejects(send(callback(`http://127.0.0.1:${port}/`)), { message: "no answer within 0.05 s" });
});

test("a literal private address is also refused when the callback is sent", async () => {
  const send = callbackSender({ addresses: "refuse" });
  await assert.rejects(send(callback("http://127.0.0.1:9/")), { message: notPublic });
});

test("a name with a private address among its addresses is refused, and nothing is sent", async (context) => {
  const { requests, port } = await receiver(context, (_req, res) => res.end());
  for (const addresses of [["127.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1"]]) {
    const send = callbackSender({
      addresses: "refuse",
      lookup: (_name, found) =>
        found(
          null,
          addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
        ),
    });
    await assert.rejects(send(callback(`http://rebound.example:${port}/`)), {
      message: "rebound.example has an address that is not public; JAI_CALLBACK_PRIVATE=allow permits others",
    });
  }
  assert.deepEqual(requests, []);
});

test("a name is looked up once, and the connection goes to the address found then", async (context) => {
  const { requests, port } = await receiver(context, (_req, res) => res.end());
  let lookups = 0;
  const send = callbackSender({
    addresses: "allow",
    lookup: (_name, found) => {
      lookups++;
      found(null, [{ address: "127.0.0.1", family: 4 }]);
    },
  });
  assert.equal(await send(callback(`http://somewhere.example:${port}/`)), 200);
  assert.equal(lookups, 1);
  assert.equal(requests[0]!.headers.host, `somewhere.example:${port}`);
});

test("a name without addresses is an error, not a crash", async () => {
  const send = callbackSender({ addresses: "refuse", lookup: (_name, found) => found(null, []) });
  await assert.rejects(send(callback("http://nobody.example/")), {
    message: "nobody.example has no address",
  });
});
