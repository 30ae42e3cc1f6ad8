import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { environmentName, packageRoot, settings } from "./settings/config.js";

test("the README's table has every setting with its default and what it is", () => {
  const readme = readFileSync(join(packageRoot, "README.md"), "utf8");
  const listed = [...readme.matchAll(/^\| `(JAI_\w+)` \| `([^`]*)` \| (.*) \|$/gm)].map((row) =>
    row.slice(1),
  );
  const expected = Object.values(settings).map(({ flag, default: value, description }) => [
    environmentName(flag),
    String(value).replace(`${packageRoot}/`, ""),
    description,
  ]);
  assert.deepEqual(listed, expected);
});
