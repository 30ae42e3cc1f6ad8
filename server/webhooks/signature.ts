import { createHmac } from "node:crypto";

const PREFIX = "whsec_";
const [LEAST_BYTES, MOST_BYTES] = [24, 64];

/** Reads secrets as Standard Webhooks writes them, with a space between several. Null: not such a text. */
export function readSecrets(text: string): Buffer[] | null {
  const keys = text.split(" ").map(readSecret);
  return keys.every((key) => key !== null) ? keys : null;
}

function readSecret(text: string): Buffer | null {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text)) return null;
  const key = Buffer.from(text.slice(PREFIX.length), "base64");
  return key.length >= LEAST_BYTES && key.length <= MOST_BYTES ? key : null;
}

/**
 * Headers by which the receiver knows who sent a message, and when, as Standard Webhooks has it
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). With several secrets there
 * is a signature of each, so that a receiver may change from one to the next.
 */
export function signedHeaders(
  secrets: readonly Buffer[],
  { id, seconds, body }: { id: string; seconds: number; body: string },
): Record<string, string> {
  const signatures = secrets.map(
    (secret) => `v1,${createHmac("sha256", secret).update(`${id}.${seconds}.${body}`).digest("base64")}`,
  );
  return {
    "webhook-id": id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": signatures.join(" "),
  };
}
