import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { Webhook } from "standardwebhooks";
import { readSecrets } from "../settings/webhook-secrets.js";
import { signedHeaders } from "./signature.js";

// An example from Standard Webhooks' own libraries.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const message = { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", seconds: 1614265330, body: '{"test": 2432232314}' };

test("a signature equals that of Standard Webhooks' libraries", () => {
  assert.deepEqual(signedHeaders(readSecrets(secret)!, message), {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  });
});

test("the library of Standard Webhooks verifies what is signed, and nothing else", () => {
  const other = `whsec_${Buffer.alloc(64, 255).toString("base64")}`;
  const body = JSON.stringify({ id: "가", state: "done", text: '\u2028\n"é' });
  const seconds = Math.floor(Date.now() / 1000);
  const headers = signedHeaders(readSecrets(`${secret} ${other}`)!, { id: "job-1", seconds, body });
  for (const known of [secret, other])
    assert.deepEqual(new Webhook(known).verify(body, headers), JSON.parse(body));
  const stranger = new Webhook(`whsec_${Buffer.alloc(32, 9).toString("base64")}`);
  assert.throws(() => stranger.verify(body, headers), /No matching signature/);
  assert.throws(() => new Webhook(secret).verify(`${body} `, headers), /No matching signature/);
  assert.throws(() => new Webhook(secret).verify(body, { ...headers, "webhook-id": "job-2" }));
  const old = signedHeaders(readSecrets(secret)!, { id: "job-1", seconds: seconds - 600, body });
  assert.throws(() => new Webhook(secret).verify(body, old), /too old/);
});

test("with two secrets there are two signatures, each valid by itself", () => {
  const other = Buffer.alloc(32, 7);
  const secrets = readSecrets(`${secret} whsec_${other.toString("base64")}`)!;
  const signed = `${message.id}.${message.seconds}.${message.body}`;
  assert.deepEqual(signedHeaders(secrets, message)["webhook-signature"]!.split(" "), [
    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    `v1,${createHmac("sha256", other).update(signed).digest("base64")}`,
  ]);
});

for (const text of [
  "",
  "secret",
  "whsec_",
  `whsec_${Buffer.alloc(23).toString("base64")}`,
  `whsec_${Buffer.alloc(65).toString("base64")}`,
  "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!",
  `${secret}  ${secret}`,
  `${secret} none`,
]) {
  test(`${JSON.stringify(text.slice(0, 40))} is not a secret`, () => assert.equal(readSecrets(text), null));
}
