import { firstRepeated, hashKey, isKey, isName, type Key, unlimited } from "./key.js";

export const keyListForm =
  "none, or keys separated by commas, each KEY or NAME=KEY (a name of 1 to 64 letters, digits and ._-, a key of printable ASCII), none of them twice";

/**
 * Reads `web=KEY,batch=KEY`; null for an invalid list. A key without a name is named by its position: `key-1`. These
 * keys have no limits.
 */
export function parseKeyList(text: string): Key[] | null {
  const keys: Key[] = [];
  for (const [index, entry] of text.split(",").entries()) {
    // Equals signs at the end are a bare key's Base64 padding.
    const [, name, key] = /^([^=]*)=(.*[^=].*)$/.exec(entry.trim()) ?? [
      null,
      `key-${index + 1}`,
      entry.trim(),
    ];
    if (!isName(name!) || !isKey(key!)) return null;
    keys.push({ name: name!, hash: hashKey(key!), priority: 0, limits: unlimited });
  }
  return firstRepeated(keys) === -1 ? keys : null;
}
