import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { cacheBytesPerSlot, readModelFolder } from "../../models/folder.js";
import { readDocument } from "../http/document.js";
import { ConfigError, packageRoot, readConfig } from "../settings/config.js";
import type { Gpu, Hardware } from "./hardware.js";
import { type ModelSize, type Plan, planDevices, type Wishes } from "./plan.js";

const MB = 2 ** 20;
const GB = 2 ** 30;
const gpu = (name: string, freeMemory: number): Gpu => ({ name, totalMemory: 80 * GB, freeMemory });
const h100 = gpu("NVIDIA H100 80GB HBM3", 79 * GB);

const laptop: Hardware = {
  platform: "linux/x64",
  cores: 8,
  freeMemory: 8 * GB,
  gpus: [],
  cudaLibrary: false,
};
const eightGpus: Hardware = {
  ...laptop,
  cores: 96,
  freeMemory: 900 * GB,
  gpus: Array.from({ length: 8 }, () => h100),
  cudaLibrary: true,
};
const auto: Wishes = { device: "auto", workers: "auto", concurrency: "auto", threads: "auto" };
/** 6 layers, 384 wide, context 256. */
const small: ModelSize = { precision: "fp32", modelBytes: 14 * MB, cacheBytesPerSlot: 4.5 * MB };
const int8: ModelSize = { ...small, precision: "int8" };
/** GPT-2 in int8. */
const middling: ModelSize = { precision: "int8", modelBytes: 117 * MB, cacheBytesPerSlot: 18 * MB };
/** GPT-2 XL in float32. */
const large: ModelSize = { precision: "fp32", modelBytes: 6.2 * GB, cacheBytesPerSlot: 600 * MB };

const defaults = readConfig([], {});

interface HealthDocument {
  paths: Record<
    "/health",
    { get: { responses: { "200": { content: { "application/json": { example: Health } } } } } }
  >;
}
type Health = Pick<Plan, "device" | "concurrency" | "workers" | "threads" | "reasons"> & {
  model: object;
  queue: { limit: number };
};

const numbers = ({ reasons, ...plan }: Plan) => plan;
const cpu = (slots: number, threads: number, workers = 1, alone = threads) => ({
  device: "cpu",
  deviceIds: Array.from({ length: workers }, () => 0),
  workers,
  slotsPerWorker: slots,
  concurrency: slots * workers,
  threads,
  threadsAlone: alone,
});

for (const [what, hardware, wishes, model, expected] of [
  ["a small model gets a worker of one thread for each core", laptop, {}, small, cpu(32, 1, 8, 4)],
  ["a GPU without the CUDA libraries is not used", { ...laptop, gpus: [h100] }, {}, small, cpu(32, 1, 8, 4)],
  [
    "the CUDA libraries without a GPU are not used",
    { ...laptop, cudaLibrary: true },
    {},
    small,
    cpu(32, 1, 8, 4),
  ],
  ["an int8 model stays on the CPU beside GPUs", eightGpus, {}, int8, cpu(64, 6, 16, 24)],
  [
    "an int8 model runs on a GPU on request",
    { ...eightGpus, gpus: [h100] },
    { device: "cuda" },
    int8,
    { device: "cuda", deviceIds: [0], workers: 1, slotsPerWorker: 256, concurrency: 256, threads: 96 },
  ],
  ["the CPU can be requested beside a GPU", eightGpus, { device: "cpu" }, small, cpu(64, 6, 16, 24)],
  ["a mid-sized model gets fewer and wider workers", laptop, {}, middling, cpu(64, 4, 2, 8)],
  ["a large model gets one worker with all cores", { ...laptop, freeMemory: 32 * GB }, {}, large, cpu(5, 8)],
  [
    "workers are fewer and wider if memory is short",
    { ...laptop, freeMemory: 1.4 * GB },
    {},
    small,
    cpu(16, 2, 3, 8),
  ],
  ["little memory holds fewer sequences", { ...laptop, freeMemory: 800 * MB }, {}, small, cpu(25, 8)],
  ["too little memory still runs one sequence", { ...laptop, freeMemory: 100 * MB }, {}, small, cpu(1, 8)],
  ["one core gives one worker", { ...laptop, cores: 1 }, {}, small, cpu(32, 1)],
  ["half a core more gives another worker", { ...laptop, cores: 1.5 }, {}, small, cpu(32, 1, 2)],
  ["a smaller part of a core gives none", { ...laptop, cores: 2.4 }, {}, small, cpu(32, 1, 2, 2)],
  ["a wide worker takes only whole cores", { ...laptop, cores: 3.9 }, {}, middling, cpu(64, 3)],
  ["a part of one core gives one worker", { ...laptop, cores: 0.25 }, {}, small, cpu(32, 1)],
  ["with more threads set there are fewer workers", laptop, { threads: 3 }, small, cpu(64, 3, 2)],
  ["with as many threads set as cores there is one worker", laptop, { threads: 8 }, small, cpu(64, 8)],
  ["with more threads set than cores there is one worker", laptop, { threads: 20 }, small, cpu(64, 20)],
  ["a large model gets one worker even with few threads set", laptop, { threads: 1 }, large, cpu(1, 1)],
  [
    "one sequence at a time takes more threads where they help",
    laptop,
    { concurrency: 1 },
    small,
    cpu(1, 1, 1, 4),
  ],
  [
    "one sequence at a time gets all cores if memory does not hold a second session",
    { ...laptop, freeMemory: 600 * MB },
    { concurrency: 1 },
    small,
    cpu(1, 8),
  ],
  ["fewer sequences than cores share them", laptop, { concurrency: 3 }, small, cpu(1, 2, 3, 8)],
  [
    "concurrency over all workers is as set, even if it does not divide evenly",
    laptop,
    { concurrency: 20 },
    small,
    { ...cpu(3, 1, 8, 4), concurrency: 20 },
  ],
  [
    "concurrency can be set higher than the automatic choice",
    { ...laptop, freeMemory: 32 * GB },
    { concurrency: 1000 },
    small,
    cpu(125, 1, 8, 4),
  ],
  ["a single worker gets all cores", laptop, { workers: 1 }, small, cpu(64, 8)],
  ["workers and threads can both be set", laptop, { workers: 2, threads: 3 }, small, cpu(64, 3, 2)],
  [
    "every GPU gets a worker",
    eightGpus,
    {},
    small,
    {
      device: "cuda",
      deviceIds: [0, 1, 2, 3, 4, 5, 6, 7],
      workers: 8,
      slotsPerWorker: 256,
      concurrency: 2048,
      threads: 12,
    },
  ],
  [
    "the GPU with the least free memory decides for all",
    { ...eightGpus, gpus: [h100, gpu("NVIDIA H100 80GB HBM3", 2 * GB)] },
    {},
    small,
    { device: "cuda", deviceIds: [0, 1], workers: 2, slotsPerWorker: 256, concurrency: 512, threads: 48 },
  ],
  [
    "a small GPU holds fewer sequences",
    { ...eightGpus, gpus: [gpu("NVIDIA T4", 1 * GB)] },
    { device: "cuda" },
    small,
    { device: "cuda", deviceIds: [0], workers: 1, slotsPerWorker: 118, concurrency: 118, threads: 96 },
  ],
  [
    "system memory limits a GPU's sequences too",
    { ...eightGpus, gpus: [h100], freeMemory: 2 * GB },
    {},
    small,
    { device: "cuda", deviceIds: [0], workers: 1, slotsPerWorker: 164, concurrency: 164, threads: 96 },
  ],
  [
    "fewer sequences than GPUs leave GPUs idle",
    eightGpus,
    { concurrency: 3 },
    small,
    { device: "cuda", deviceIds: [0, 1, 2], workers: 3, slotsPerWorker: 1, concurrency: 3, threads: 32 },
  ],
  [
    "concurrency is as set on GPUs too",
    eightGpus,
    { concurrency: 30 },
    small,
    {
      device: "cuda",
      deviceIds: [0, 1, 2, 3, 4, 5, 6, 7],
      workers: 8,
      slotsPerWorker: 4,
      concurrency: 30,
      threads: 12,
    },
  ],
  [
    "several workers on the CPU share its cores",
    laptop,
    { workers: 3 },
    small,
    {
      device: "cpu",
      deviceIds: [0, 0, 0],
      workers: 3,
      slotsPerWorker: 64,
      concurrency: 192,
      threads: 2,
      threadsAlone: 8,
    },
  ],
  [
    "more workers than GPUs are dealt out in turn",
    { ...eightGpus, gpus: [h100, h100] },
    { workers: 3 },
    small,
    { device: "cuda", deviceIds: [0, 1, 0], workers: 3, slotsPerWorker: 256, concurrency: 768, threads: 32 },
  ],
  ["webgpu is used on request", laptop, { device: "webgpu" }, small, { ...cpu(64, 8), device: "webgpu" }],
] as [string, Hardware, Partial<Wishes>, ModelSize, Partial<Plan>][])
  test(what, () => {
    const plan = planDevices(hardware, { ...auto, ...wishes }, model);
    assert.deepEqual(numbers(plan), { threadsAlone: expected.threads, ...expected });
  });

for (const [what, hardware, wishes, expected] of [
  ["that there is only a CPU", laptop, {}, /^CPU, since there is no CUDA GPU\./],
  [
    "a GPU whose libraries are missing",
    { ...laptop, gpus: [h100] },
    {},
    /1 GPU \(NVIDIA H100.*npm run setup:cuda/,
  ],
  [
    "a GPU on a platform without a CUDA build",
    { ...laptop, gpus: [h100], platform: "win32/x64" },
    {},
    /no CUDA build for this system/,
  ],
  [
    "GPUs",
    eightGpus,
    {},
    /^CUDA, since .*8 GPUs \(NVIDIA H100 80GB HBM3\)\. 8 workers, one for each device\./,
  ],
  [
    "the memory of a slot",
    laptop,
    {},
    /32 sequences at once a worker \(4\.5 MiB of cache each\), beyond which/,
  ],
  ["tight memory", { ...laptop, freeMemory: 800 * MB }, {}, /25 sequences .* as many as free memory holds\./],
  ["no memory", { ...laptop, freeMemory: 0 }, {}, /1 sequence .* although memory may not hold it/],
  [
    "more sequences than memory holds",
    { ...laptop, freeMemory: 800 * MB },
    { concurrency: 99 },
    /as set; free memory holds about 25/,
  ],
  [
    "few weights",
    laptop,
    {},
    /8 workers, from 8 cores: 14\.0 MiB of weights keep one thread busy\. 1 thread a worker, from 8 cores\./,
  ],
  [
    "the workers that memory holds",
    { ...laptop, freeMemory: 1.4 * GB },
    {},
    /3 workers, as many copies of the weights as free memory holds\. 2 threads a worker/,
  ],
  [
    "the most workers that one HTTP thread can feed",
    eightGpus,
    { device: "cpu" },
    /16 workers, since more would only wait .* HTTP\. 6 threads/,
  ],
  [
    "a lone request",
    laptop,
    {},
    /8 cores\. 4 threads for a request that runs alone, where they make it faster\. 32/,
  ],
  ["few sequences", laptop, { concurrency: 3 }, /3 workers, as many as sequences in flight\. 2 threads/],
  [
    "threads that are set",
    laptop,
    { threads: 3 },
    /2 workers, from 8 cores, 3 for each, since threads are set/,
  ],
  [
    "a part of a core",
    { ...laptop, cores: 1.5 },
    {},
    /2 workers, from 1\.5 cores: .* 1 thread .*, from 1\.5 cores\./,
  ],
  [
    "workers that share a GPU",
    { ...eightGpus, gpus: [h100] },
    { workers: 2 },
    /2 workers, as set, on 1 GPU: each holds its own copy of the weights/,
  ],
  ["the sum over all workers", eightGpus, { concurrency: 30 }, /4 sequences .*, as set, 30 over all workers/],
] as [string, Hardware, Partial<Wishes>, RegExp][])
  test(`the reasons mention ${what}`, () => {
    assert.match(planDevices(hardware, { ...auto, ...wishes }, small).reasons.join(" "), expected);
  });

for (const [what, hardware, wishes, expected] of [
  ["unused GPUs", eightGpus, {}, /^CPU, since .*int8.* --precision fp32 .*8 GPUs \(NVIDIA/],
  [
    "unused GPUs without the CUDA libraries",
    { ...laptop, gpus: [h100] },
    {},
    /^CPU, since .*int8.* --precision fp32 .*1 GPU/,
  ],
  ["a requested GPU", eightGpus, { device: "cuda" }, /^CUDA, as set, .*int8.* --precision fp32 /],
  ["a missing GPU, not the precision", laptop, {}, /^CPU, since there is no CUDA GPU\./],
] as [string, Hardware, Partial<Wishes>, RegExp][])
  test(`the reasons for an int8 model mention ${what}`, () => {
    assert.match(planDevices(hardware, { ...auto, ...wishes }, int8).reasons.join(" "), expected);
  });

test("the reasons for wide workers mention the size of the weights", () => {
  assert.match(
    planDevices(laptop, auto, middling).reasons.join(" "),
    /2 workers, from 8 cores, 4 for each: 117\.0 MiB of weights keep 4 threads busy\. 4 threads a worker/,
  );
});

test("no plan uses more cores than there are, or more sequences than are set", () => {
  for (const cores of [0.1, 1, 1.49, 1.5, 2, 3, 4, 6, 7.5, 12, 16, 24, 64, 192])
    for (const modelBytes of [1, 7, 24, 33, 64, 117, 500, 6200].map((megabytes) => megabytes * MB))
      for (const concurrency of ["auto", 1, 2, 5, 64] as const)
        for (const threads of ["auto", 1, 2, 8] as const) {
          const hardware = { ...laptop, cores, freeMemory: 64 * GB };
          const plan = planDevices(hardware, { ...auto, concurrency, threads }, { ...small, modelBytes });
          const what = JSON.stringify({
            cores,
            modelBytes,
            wishes: { concurrency, threads },
            plan: numbers(plan),
          });
          const { workers, slotsPerWorker } = plan;
          if (threads === "auto") assert.ok(workers * plan.threads <= Math.max(1, Math.round(cores)), what);
          else assert.equal(plan.threads, threads, what);
          assert.ok(workers >= 1 && workers <= 16, what);
          assert.ok(slotsPerWorker >= 1 && slotsPerWorker * workers >= plan.concurrency, what);
          if (concurrency !== "auto") assert.equal(plan.concurrency, concurrency, what);
          // Every worker has work when all sequences are in flight.
          assert.ok(workers <= plan.concurrency, what);
        }
});

test("the example of /health in openapi.yaml is the plan for jai-small on two cores", () => {
  const { example } = (readDocument(defaults) as unknown as HealthDocument).paths["/health"].get.responses[
    "200"
  ].content["application/json"];
  const model = readModelFolder(join(packageRoot, "models/jai-small"));
  const { name, precision, n_positions: context, vocab_size: vocabulary } = model.config;
  const { modelBytes } = model;
  const size: ModelSize = { precision, modelBytes, cacheBytesPerSlot: cacheBytesPerSlot(model.config) };
  const { device, concurrency, workers, threads, reasons } = planDevices({ ...laptop, cores: 2 }, auto, size);
  assert.deepEqual(example.model, {
    ...{ name, precision, context, vocabulary },
    chat_template: model.chatTemplate !== null,
  });
  assert.deepEqual(
    [example.device, example.concurrency, example.workers, example.threads, example.reasons],
    [device, concurrency, workers, threads, reasons],
  );
  assert.equal(example.queue.limit, defaults.queueLimit);
});

for (const [what, hardware, wishes, expected] of [
  [
    "cuda without its libraries",
    { ...laptop, gpus: [h100] },
    { device: "cuda" },
    /^JAI_DEVICE: .*CUDA libraries.*: npm run setup:cuda$/,
  ],
  [
    "cuda without a GPU",
    { ...laptop, cudaLibrary: true },
    { device: "cuda" },
    /^JAI_DEVICE: expected a GPU.*nvidia-smi.*CUDA_VISIBLE_DEVICES/,
  ],
  [
    "cuda on a platform without CUDA",
    { ...laptop, platform: "darwin/arm64" },
    { device: "cuda" },
    /^JAI_DEVICE: expected linux\/x64.*got darwin\/arm64$/,
  ],
  [
    "fewer sequences than workers",
    laptop,
    { workers: 4, concurrency: 2 },
    /^JAI_CONCURRENCY: .*each of 4 workers, got 2$/,
  ],
] as [string, Hardware, Partial<Wishes>, RegExp][])
  test(`${what} stops the start with one line`, () => {
    assert.throws(
      () => planDevices(hardware, { ...auto, ...wishes }, small),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, expected);
        assert.doesNotMatch(error.message, /\n/);
        return true;
      },
    );
  });
