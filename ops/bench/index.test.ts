import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../server/config.js";
import { run } from "./index.js";

for (const args of [["--nope"], ["folder"], ["--clients"], ["--clients", "1,x"], ["--tokens", "0"]])
  test(`"jai bench ${args.join(" ")}" is wrong usage`, async () => {
    await assert.rejects(run(args), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, /^[^\n]+$/);
      return true;
    });
  });
