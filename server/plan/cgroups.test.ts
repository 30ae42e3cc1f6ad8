import assert from "node:assert/strict";
import { test } from "node:test";
import { leastRoom, type ReadText } from "./cgroups.js";

const from =
  (files: Record<string, string>): ReadText =>
  (path) =>
    files[path] ?? null;

test("version 2: the group with the least room counts, and cached files are free", () => {
  const files = {
    "/proc/self/cgroup": "0::/a/b\n",
    "/sys/fs/cgroup/a/b/memory.max": "max\n",
    "/sys/fs/cgroup/a/b/memory.current": "500\n",
    "/sys/fs/cgroup/a/memory.max": "1000\n",
    "/sys/fs/cgroup/a/memory.current": "900\n",
    "/sys/fs/cgroup/a/memory.stat": "anon 700\ninactive_file 150\nactive_file 50\n",
  };
  assert.deepEqual(leastRoom(from(files)), { limit: 1000, free: 300 });
});

test("version 1 without a limit has no room to tell of", () => {
  const files = {
    "/proc/self/cgroup": "9:memory:/\n",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    "/sys/fs/cgroup/memory/memory.usage_in_bytes": "500\n",
  };
  assert.equal(leastRoom(from(files)), null);
  const limited = { ...files, "/sys/fs/cgroup/memory/memory.limit_in_bytes": "1000\n" };
  assert.deepEqual(leastRoom(from(limited)), { limit: 1000, free: 500 });
});
