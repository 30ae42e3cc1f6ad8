import assert from "node:assert/strict";
import { test } from "node:test";
import { hashKey, unlimited } from "./key.js";
import { parseKeyList } from "./key-list.js";

const read = (text: string) => parseKeyList(text)?.map(({ name, hash }) => [name, hash.toString("hex")]);
const hash = (key: string) => hashKey(key).toString("hex");

test("keys in a list have a name, or get one from their position", () => {
  assert.deepEqual(read("web=abc,def, batch=ghi"), [
    ["web", hash("abc")],
    ["key-2", hash("def")],
    ["batch", hash("ghi")],
  ]);
});

test("Base64's padding belongs to the key", () => {
  assert.deepEqual(read("YWJjZA=="), [["key-1", hash("YWJjZA==")]]);
  assert.deepEqual(read("web=YWJjZA=="), [["web", hash("YWJjZA==")]]);
  assert.deepEqual(read("web=a=b"), [["web", hash("a=b")]]);
});

test("keys in a list have no limits and the default priority, and their text is not kept", () => {
  const keys = parseKeyList("web=secret-text");
  assert.deepEqual(keys, [{ name: "web", hash: hashKey("secret-text"), priority: 0, limits: unlimited }]);
});

for (const text of [",", "a,", "a,,b", "a=1,a=2", "a=1,b=1", "a b", "=x", "a/b=x", "é", "key-2=x,y"]) {
  test(`"${text}" is not a list of keys`, () => assert.equal(parseKeyList(text), null));
}
