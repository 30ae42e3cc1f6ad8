import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { environmentName, packageRoot, settings } from "./config.js";

const read = (name: string) => readFileSync(join(packageRoot, name), "utf8");

const rowsOf = (name: string) =>
  [...read(name).matchAll(/^\| `(JAI_\w+)` \| `([^`]*)` \| (.*) \|$/gm)].map((row) => row.slice(1));

const expected = Object.values(settings).map(({ flag, default: value, description }) => [
  environmentName(flag),
  String(value).replace(`${packageRoot}/`, ""),
  description,
]);

test("the settings table in docs/operations.md has every setting with its default and description", () => {
  assert.deepEqual(rowsOf("docs/operations.md"), expected);
});

test("the README's settings have the same defaults and descriptions", () => {
  const rows = rowsOf("README.md");
  assert.ok(rows.length > 0);
  for (const row of rows)
    assert.deepEqual(
      row,
      expected.find(([name]) => name === row[0]),
    );
});

test("links in the README and docs/ point to files and headings that exist", () => {
  const anchorsOf = (name: string) =>
    [...read(name).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"),
    );
  const documents = readdirSync(join(packageRoot, "docs")).filter((name) => name.endsWith(".md"));
  const pages = ["README.md", ...documents.map((name) => `docs/${name}`)];
  for (const page of pages)
    for (const [, link] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(link!)) continue;
      const [path, anchor] = link!.split("#") as [string, string?];
      const target = path === "" ? page : join(dirname(page), path);
      assert.ok(existsSync(join(packageRoot, target)), `${page}: ${link}`);
      if (anchor !== undefined) assert.ok(anchorsOf(target).includes(anchor), `${page}: ${link}`);
    }
});

test("docs/api.md lists every path of openapi.yaml", () => {
  const paths = Object.keys((parse(read("openapi.yaml")) as { paths: object }).paths);
  const page = read("docs/api.md");
  const rows = page.split("\n").filter((line) => line.startsWith("| `"));
  const named = rows.flatMap((row) =>
    [...row.split("|")[1]!.matchAll(/(\/[^`]*)`/g)].map(([, path]) => path),
  );
  assert.deepEqual(
    paths.filter((path) => !named.includes(path)),
    [],
  );
});
