import assert from "node:assert/strict";
import { test } from "node:test";
import { progressTo } from "./progress.js";

function told(isTTY: boolean) {
  const written: string[] = [];
  const clock = { ms: 0 };
  const stream = { isTTY, write: (text: string) => written.push(text) } as unknown as NodeJS.WriteStream;
  return { written, clock, onProgress: progressTo(stream, () => clock.ms) };
}

const MIB = 2 ** 20;

test("at a terminal each phase has a bar that is drawn over, and a download says how fast it is", () => {
  const { written, clock, onProgress } = told(true);
  for (let done = 0; done <= 10 * MIB; done += MIB / 16) {
    onProgress("downloading", done / (10 * MIB), { done, total: 10 * MIB });
    clock.ms += 10;
  }
  onProgress("verifying", 0.5);
  onProgress("verifying", 1);
  assert.ok(written.length < 30, "chunks are not drawn one by one");
  assert.match(written[0]!, /^\rdownloading \[-{30}\] 0 % of 10\.0 MiB *$/);
  assert.ok(
    written.some((line) => /^\rdownloading \[#{30}\] 100 % of 10\.0 MiB, 6\.3 MiB\/s *\n$/.test(line)),
  );
  assert.match(written.at(-1)!, /^\rverifying {3}\[#{30}\] 100 % *\n$/);
});

test("elsewhere a download has a line every few seconds, and other phases have none", () => {
  const { written, clock, onProgress } = told(false);
  for (let done = 0; done <= 100; done++) {
    onProgress("downloading", done / 100, { done: done * MIB, total: 100 * MIB });
    clock.ms += 100;
  }
  onProgress("verifying", 1);
  assert.deepEqual(written, [
    "downloading: 0 % of 100.0 MiB\n",
    "downloading: 50 % of 100.0 MiB, 10.0 MiB/s\n",
    "downloading: 100 % of 100.0 MiB, 10.0 MiB/s\n",
  ]);
});
