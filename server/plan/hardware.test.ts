import assert from "node:assert/strict";
import { test } from "node:test";
import {
  allowedCores,
  cgroupLimits,
  parseGpus,
  probeHardware,
  systemFreeMemory,
  visibleGpus,
} from "./hardware.js";

const MB = 2 ** 20;
const output = `0, GPU-5a1b2c3d-0000-1111-2222-333344445555, NVIDIA H100 80GB HBM3, 81559, 81008
1, GPU-6e7f8a9b-0000-1111-2222-333344445555, NVIDIA RTX 6000 Ada Generation, Laptop, 49140, 47000
2, GPU-6e001122-0000-1111-2222-333344445555, Tesla T4, 15360, 14923
`;

test("nvidia-smi's list is read, even with commas in names", () => {
  assert.deepEqual(parseGpus(output), [
    {
      index: 0,
      uuid: "GPU-5a1b2c3d-0000-1111-2222-333344445555",
      name: "NVIDIA H100 80GB HBM3",
      totalMemory: 81559 * MB,
      freeMemory: 81008 * MB,
    },
    {
      index: 1,
      uuid: "GPU-6e7f8a9b-0000-1111-2222-333344445555",
      name: "NVIDIA RTX 6000 Ada Generation, Laptop",
      totalMemory: 49140 * MB,
      freeMemory: 47000 * MB,
    },
    {
      index: 2,
      uuid: "GPU-6e001122-0000-1111-2222-333344445555",
      name: "Tesla T4",
      totalMemory: 15360 * MB,
      freeMemory: 14923 * MB,
    },
  ]);
  assert.equal(parseGpus(output.replaceAll("\n", "\r\n")).length, 3);
});

for (const [what, text] of [
  ["nothing", ""],
  ["no devices", "No devices were found\n"],
  ["a driver that fails", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n"],
  ["unknown memory", "0, GPU-1, NVIDIA GB10, [N/A], [N/A]\n"],
  ["garbage", "\0\x1b[31m,,,,\n, , , ,\n0,1\n"],
])
  test(`nvidia-smi's output for ${what} yields no GPU`, () => {
    assert.deepEqual(parseGpus(text!), []);
  });

for (const [variable, expected] of [
  [undefined, [81008, 47000, 14923]],
  ["", []],
  ["-1", []],
  ["2", [14923]],
  ["2,0", [14923, 81008]],
  [" 1 , 0 ", [47000, 81008]],
  ["0,7,1", [81008]],
  ["0,-1,1", [81008]],
  ["0,0,1", [81008]],
  ["GPU-6e7f8a9b", [47000]],
  ["GPU-6e00,GPU-5a1b2c3d-0000-1111-2222-333344445555", [14923, 81008]],
  ["none", []],
] as const)
  test(`CUDA_VISIBLE_DEVICES=${variable ?? "(unset)"} shows ${expected.length} of 3 GPUs`, () => {
    const visible = visibleGpus(parseGpus(output), variable);
    assert.deepEqual(
      visible.map((gpu) => gpu.freeMemory / MB),
      expected,
    );
  });

test("free memory is MemAvailable of /proc/meminfo", () => {
  assert.equal(systemFreeMemory("MemTotal: 100 kB\nMemFree:  1 kB\nMemAvailable:     50 kB\n"), 50 * 1024);
  assert.equal(systemFreeMemory("MemTotal: 100 kB\n"), null);
  assert.equal(systemFreeMemory(null), null);
});

test("the cores that a process may use are counted", () => {
  const status = (list: string) =>
    `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${list}\nMems_allowed:\t1\n`;
  assert.equal(allowedCores(status("0")), 1);
  assert.equal(allowedCores(status("0-7")), 8);
  assert.equal(allowedCores(status("0-1,4,8-15")), 11);
  assert.equal(allowedCores(status("")), null);
  assert.equal(allowedCores("Name:\tnode\n"), null);
  assert.equal(allowedCores(null), null);
});

const limits = (files: Record<string, string>) => cgroupLimits((path) => files[path] ?? null);

test("without control groups there is no limit", () => {
  const none = { cores: Number.POSITIVE_INFINITY, freeMemory: Number.POSITIVE_INFINITY };
  assert.deepEqual(limits({}), none);
  assert.deepEqual(
    limits({
      "/proc/self/cgroup": "0::/\n",
      "/sys/fs/cgroup/cpu.max": "max 100000\n",
      "/sys/fs/cgroup/memory.max": "max\n",
      "/sys/fs/cgroup/memory.current": "1000\n",
    }),
    none,
  );
});

test("cgroup v2: the tightest group counts, and cached files count as free", () => {
  assert.deepEqual(
    limits({
      "/proc/self/cgroup": "0::/system.slice/jai-server.service\n",
      "/sys/fs/cgroup/system.slice/jai-server.service/cpu.max": "250000 100000\n",
      "/sys/fs/cgroup/system.slice/jai-server.service/memory.max": "4000\n",
      "/sys/fs/cgroup/system.slice/jai-server.service/memory.current": "1500\n",
      "/sys/fs/cgroup/system.slice/jai-server.service/memory.stat": "anon 900\ninactive_file 500\n",
      "/sys/fs/cgroup/system.slice/cpu.max": "150000 100000\n",
      "/sys/fs/cgroup/system.slice/memory.max": "9000\n",
      "/sys/fs/cgroup/system.slice/memory.current": "2000\n",
    }),
    { cores: 1.5, freeMemory: 3000 },
  );
});

test("cgroup v1 counts too, even where a container sees its own group as the root", () => {
  assert.deepEqual(
    limits({
      "/proc/self/cgroup": "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n",
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
      "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "8000\n",
      "/sys/fs/cgroup/memory/memory.usage_in_bytes": "3000\n",
    }),
    { cores: 2, freeMemory: 5000 },
  );
  assert.equal(
    limits({
      "/proc/self/cgroup": "4:cpu:/\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
      "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }).cores,
    Number.POSITIVE_INFINITY,
  );
});

test("this machine has cores and memory", async () => {
  const hardware = await probeHardware();
  assert.ok(hardware.cores > 0 && Number.isFinite(hardware.cores));
  assert.ok(hardware.freeMemory > 0 && Number.isFinite(hardware.freeMemory));
  assert.equal(hardware.platform, `${process.platform}/${process.arch}`);
});
