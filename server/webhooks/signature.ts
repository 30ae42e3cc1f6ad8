import { createHmac } from "node:crypto";

/**
 * Headers of Standard Webhooks, which prove a message's sender and time
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). With several secrets there
 * is one signature for each, so that receivers can change from one secret to the next.
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
