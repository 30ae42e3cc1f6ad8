import assert from "node:assert/strict";
import { test } from "node:test";
import { positiveInteger, readArgs, UsageError } from "./args.js";

const options = { url: { type: "string" }, quick: { type: "boolean" } } as const;

test("flags have their types, as from Node's parser", () => {
  const { values } = readArgs({ args: ["--url", "a", "--quick"], options });
  assert.deepEqual({ ...values }, { url: "a", quick: true });
});

for (const [args, message] of [
  [["--ulr", "a"], "Unknown option '--ulr' (did you mean --url?)"],
  [["--nothing"], "Unknown option '--nothing'"],
  [["--url"], "Option '--url <value>' argument missing"],
  [["file"], "Unexpected argument 'file'"],
] as const)
  test(`"${args.join(" ")}" is reported as wrong usage in one line`, () => {
    assert.throws(
      () => readArgs({ args: [...args], options }),
      (error) => error instanceof UsageError && error.message === message,
    );
  });

test("zero, negative numbers, fractions and words are not positive integers", () => {
  assert.equal(positiveInteger("n", "12"), 12);
  for (const text of ["0", "-1", "1.5", "x", ""])
    assert.throws(() => positiveInteger("n", text), {
      name: "UsageError",
      message: `--n: expected a positive integer, got ${JSON.stringify(text)}`,
    });
});
