import assert from "node:assert/strict";
import { test } from "node:test";
import { needsDebianPackage } from "./debian-package.js";

test("a program that is there needs no package", () => {
  assert.equal(needsDebianPackage("no-such-package", process.execPath), false);
});

test("a package that nobody has is a reason to skip", () => {
  assert.equal(needsDebianPackage("no-such-package-of-debian"), "needs Debian's no-such-package-of-debian");
});
