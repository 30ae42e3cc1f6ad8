const PREFIX = "whsec_";
const [LEAST_BYTES, MOST_BYTES] = [24, 64];

/** Reads secrets in Standard Webhooks' form, separated by spaces; null for an invalid text. */
export function readSecrets(text: string): Buffer[] | null {
  const keys = text.split(" ").map(readSecret);
  return keys.every((key) => key !== null) ? keys : null;
}

function readSecret(text: string): Buffer | null {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text)) return null;
  const key = Buffer.from(text.slice(PREFIX.length), "base64");
  return key.length >= LEAST_BYTES && key.length <= MOST_BYTES ? key : null;
}
