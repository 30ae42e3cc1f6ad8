import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { cacheBytesPerSlot, readModelFolder } from "../models/folder.js";
import { ConfigError, packageRoot, readConfig } from "./config.js";
import type { Gpu, Hardware } from "./hardware.js";
import { readDocument } from "./http/document.js";
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
const cpu = (slots: number, threads: number) => ({
  device: "cpu",
  deviceIds: [0],
  workers: 1,
  slotsPerWorker: slots,
  concurrency: slots,
  threads,
});

for (const [what, hardware, wishes, model, expected] of [
  ["a laptop runs one worker with all cores", laptop, {}, small, cpu(64, 8)],
  ["a GPU without the CUDA libraries is left alone", { ...laptop, gpus: [h100] }, {}, small, cpu(64, 8)],
  [
    "the CUDA libraries without a GPU are left alone",
    { ...laptop, cudaLibrary: true },
    {},
    small,
    cpu(64, 8),
  ],
  ["an int8 model stays on the CPU beside GPUs", eightGpus, {}, int8, cpu(64, 96)],
  [
    "an int8 model runs on a GPU where that is asked for",
    { ...eightGpus, gpus: [h100] },
    { device: "cuda" },
    int8,
    { device: "cuda", deviceIds: [0], workers: 1, slotsPerWorker: 256, concurrency: 256, threads: 96 },
  ],
  ["the CPU can be asked for beside a GPU", eightGpus, { device: "cpu" }, small, cpu(64, 96)],
  ["little memory holds fewer sequences", { ...laptop, freeMemory: 800 * MB }, {}, small, cpu(25, 8)],
  ["too little memory still runs one sequence", { ...laptop, freeMemory: 100 * MB }, {}, small, cpu(1, 8)],
  ["a large model leaves room for fewer sequences", { ...laptop, freeMemory: 32 * GB }, {}, large, cpu(5, 8)],
  ["one core has one thread", { ...laptop, cores: 1 }, {}, small, cpu(64, 1)],
  ["threads can be set", laptop, { threads: 3 }, small, cpu(64, 3)],
  ["concurrency can be set beyond what is chosen", laptop, { concurrency: 200 }, small, cpu(200, 8)],
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
    "concurrency is never more than was set",
    eightGpus,
    { concurrency: 30 },
    small,
    {
      device: "cuda",
      deviceIds: [0, 1, 2, 3, 4, 5, 6, 7],
      workers: 8,
      slotsPerWorker: 3,
      concurrency: 24,
      threads: 12,
    },
  ],
  [
    "several workers on the CPU share its cores",
    laptop,
    { workers: 3 },
    small,
    { device: "cpu", deviceIds: [0, 0, 0], workers: 3, slotsPerWorker: 64, concurrency: 192, threads: 2 },
  ],
  [
    "more workers than GPUs take turns",
    { ...eightGpus, gpus: [h100, h100] },
    { workers: 3 },
    small,
    { device: "cuda", deviceIds: [0, 1, 0], workers: 3, slotsPerWorker: 256, concurrency: 768, threads: 32 },
  ],
  [
    "webgpu is taken when asked for",
    laptop,
    { device: "webgpu" },
    small,
    { ...cpu(64, 8), device: "webgpu" },
  ],
] as [string, Hardware, Partial<Wishes>, ModelSize, object][])
  test(what, () => {
    assert.deepEqual(numbers(planDevices(hardware, { ...auto, ...wishes }, model)), expected);
  });

for (const [what, hardware, wishes, expected] of [
  ["nothing but the CPU", laptop, {}, /^CPU, since there is no CUDA GPU\./],
  [
    "a GPU whose libraries are missing",
    { ...laptop, gpus: [h100] },
    {},
    /1 GPU \(NVIDIA H100.*npm run setup:cuda/,
  ],
  [
    "a GPU that has no CUDA build",
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
    /64 sequences at once a worker \(4\.5 MB of cache each\), beyond which/,
  ],
  ["tight memory", { ...laptop, freeMemory: 800 * MB }, {}, /25 sequences .* what free memory holds\./],
  ["no memory", { ...laptop, freeMemory: 0 }, {}, /1 sequence .* although memory may not hold it/],
  [
    "more sequences than memory holds",
    { ...laptop, freeMemory: 800 * MB },
    { concurrency: 99 },
    /as set; free memory holds about 25/,
  ],
  [
    "workers that each copy the weights",
    laptop,
    { workers: 2 },
    /2 workers, as set, on 1 device: each holds a copy of the weights/,
  ],
  ["rounding", eightGpus, { concurrency: 30 }, /3 sequences .*, as set, rounded down from 30/],
] as [string, Hardware, Partial<Wishes>, RegExp][])
  test(`the reasons tell of ${what}`, () => {
    assert.match(planDevices(hardware, { ...auto, ...wishes }, small).reasons.join(" "), expected);
  });

for (const [what, hardware, wishes, expected] of [
  ["GPUs that it leaves alone", eightGpus, {}, /^CPU, since .*int8.* --precision fp32 .*8 GPUs \(NVIDIA/],
  [
    "GPUs for which more than the libraries is missing",
    { ...laptop, gpus: [h100] },
    {},
    /^CPU, since .*int8.* --precision fp32 .*1 GPU/,
  ],
  ["a GPU that was asked for", eightGpus, { device: "cuda" }, /^CUDA, as set, .*int8.* --precision fp32 /],
  ["no GPU, where its precision is no reason", laptop, {}, /^CPU, since there is no CUDA GPU\./],
] as [string, Hardware, Partial<Wishes>, RegExp][])
  test(`the reasons for an int8 model tell of ${what}`, () => {
    assert.match(planDevices(hardware, { ...auto, ...wishes }, int8).reasons.join(" "), expected);
  });

test("the document's example of /health is what a machine with two cores says of jai-small", () => {
  const { example } = (readDocument(defaults) as unknown as HealthDocument).paths["/health"].get.responses[
    "200"
  ].content["application/json"];
  const model = readModelFolder(join(packageRoot, "models/jai-small"));
  const { name, precision, n_positions: context, vocab_size: vocabulary } = model.config;
  const { modelBytes } = model;
  const size: ModelSize = { precision, modelBytes, cacheBytesPerSlot: cacheBytesPerSlot(model.config) };
  const { device, concurrency, workers, threads, reasons } = planDevices({ ...laptop, cores: 2 }, auto, size);
  assert.deepEqual(example.model, { name, precision, context, vocabulary });
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
    "cuda where there is none",
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
