/** What an attacker would write, and tiny GPTs, so that tests need neither Python nor files. For tests only. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type FakeTensor, RawPickle, tensor } from "./checkpoint-writer.js";
import type { Dtype } from "./tensor.js";

/** A global and a call of it, as the classic attack has it: `c os\nsystem\n` applied to a tuple with `argument`. */
export function callOf(module: string, name: string, argument: string): RawPickle {
  const text = Buffer.from(argument);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return new RawPickle(
    Buffer.concat([Buffer.from(`c${module}\n${name}\n(`), Buffer.from("X"), length, text, Buffer.from("tR")]),
  );
}

export interface FakeGpt {
  /** Whose names: the training script's, the server document's or nanoGPT's. */
  dialect?: "training" | "document" | "nanogpt";
  vocab?: number;
  context?: number;
  layers?: number;
  width?: number;
  bias?: boolean;
  masks?: boolean;
  dtype?: Dtype;
  seed?: number;
}

/** A tiny GPT's state dict; every value is a multiple of 1/64 below 1, which float16 and bfloat16 hold exactly. */
export function gpt(options: FakeGpt = {}): Map<string, FakeTensor> {
  const { dialect = "training", vocab = 11, context = 6, layers = 2, width = 8 } = options;
  const { bias = true, masks = dialect === "training", dtype = "float32", seed = 1 } = options;
  const random = mulberry32(seed);
  const state = new Map<string, FakeTensor>();
  const add = (name: string, ...shape: number[]) => {
    const values = Array.from({ length: product(shape) }, () => Math.floor(random() * 127 - 63) / 64);
    state.set(name, tensor(dtype, shape, values));
  };
  const layer = (name: string, ...shape: number[]) => {
    add(`${name}.weight`, ...shape);
    if (bias) add(`${name}.bias`, shape[0]!);
  };
  const nano = dialect === "nanogpt";
  const short = dialect === "training";
  add(nano ? "transformer.wte.weight" : "tok_emb.weight", vocab, width);
  add(nano ? "transformer.wpe.weight" : "pos_emb.weight", context, width);
  for (let index = 0; index < layers; index++) {
    const block = `${nano ? "transformer.h" : "blocks"}.${index}`;
    layer(`${block}.${short ? "ln1" : "ln_1"}`, width);
    if (masks) state.set(`${block}.attn.bias`, mask(context));
    layer(`${block}.attn.${short ? "qkv" : "c_attn"}`, 3 * width, width);
    layer(`${block}.attn.${short ? "proj" : "c_proj"}`, width, width);
    layer(`${block}.${short ? "ln2" : "ln_2"}`, width);
    layer(`${block}.mlp.${short ? "fc" : "c_fc"}`, 4 * width, width);
    layer(`${block}.mlp.${short ? "proj" : "c_proj"}`, width, 4 * width);
  }
  layer(nano ? "transformer.ln_f" : "ln_f", width);
  if (nano) state.set("lm_head.weight", state.get("transformer.wte.weight")!);
  else add("head.weight", vocab, width);
  return state;
}

function mask(context: number): FakeTensor {
  const values = Array.from({ length: context * context }, (_, index) =>
    index % context <= Math.floor(index / context) ? 1 : 0,
  );
  return tensor("float32", [1, 1, context, context], values);
}

/** The values of a float32 tensor that is contiguous and fills its storage, in row-major order. */
export function valuesOf({ storage }: FakeTensor): number[] {
  return Array.from({ length: storage.length }, (_, index) => storage.bytes.readFloatLE(4 * index));
}

/** A file with these bytes that goes when the test ends. */
export async function temporaryFile(t: TestContext, bytes: Uint8Array): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "jai-import-"));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "ckpt.pt");
  await writeFile(file, bytes);
  return file;
}

export function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all * size, 1);
}
