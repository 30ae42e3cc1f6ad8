import { open } from "node:fs/promises";

/** Metadata values of a GGUF file, in the types that llama.cpp's loader expects: a number is a uint32. */
export type GgufValue =
  | string
  | boolean
  | number
  | { float32: number }
  | readonly string[]
  | Uint8Array
  | Int32Array
  | Float32Array;

export type GgufMetadata = Readonly<Record<string, GgufValue>>;

export const GGUF_TYPES = ["f32", "f16", "q8_0"] as const;
export type GgufType = (typeof GGUF_TYPES)[number];

export interface GgufTensor {
  name: string;
  /** Row-major, as in PyTorch; the file stores the dimensions reversed. */
  shape: readonly number[];
  /** Q8_0 needs rows whose length is a multiple of 32. */
  type: GgufType;
  /** Reads the values. Called once, just before they are written. */
  read(): Promise<Float32Array>;
}

const VERSION = 3;
const ALIGNMENT = 32;
/** Values that share a scale in Q8_0. */
export const BLOCK = 32;
/** Bytes of a block: the scale in float16 and the values in int8. */
const BLOCK_BYTES = 2 + BLOCK;

const INFINITE_HALF = 0x7c00;

const ValueType = { uint8: 0, uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;
const TENSOR_TYPES = { f32: 0, f16: 1, q8_0: 8 } as const;

/**
 * Writes a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), one tensor at a time.
 * @param file must not exist
 * @throws Error for a tensor that its type can't hold, or whose number of values doesn't match its shape
 */
export async function writeGguf(
  file: string,
  metadata: GgufMetadata,
  tensors: readonly GgufTensor[],
  onProgress: (share: number) => void = () => {},
): Promise<void> {
  let offset = 0;
  const places = tensors.map((tensor) => {
    const place = Buffer.concat([
      text(tensor.name),
      uint32(tensor.shape.length),
      ...[...tensor.shape].reverse().map(uint64),
      uint32(TENSOR_TYPES[tensor.type]),
      uint64(offset),
    ]);
    offset += aligned(byteLength(tensor));
    return place;
  });
  const entries = Object.entries(metadata).map(([key, value]) => Buffer.concat([text(key), encode(value)]));
  const head = Buffer.concat([
    Buffer.from("GGUF"),
    uint32(VERSION),
    uint64(tensors.length),
    uint64(entries.length),
    ...entries,
    ...places,
  ]);

  const out = await open(file, "wx");
  try {
    await out.appendFile(padded(head));
    for (const [index, tensor] of tensors.entries()) {
      const values = await tensor.read();
      const count = elements(tensor.shape);
      if (values.length !== count)
        throw new Error(`${tensor.name}: expected ${count} values, got ${values.length}`);
      await out.appendFile(padded(encodeTensor(tensor, values)));
      onProgress((index + 1) / tensors.length);
    }
  } finally {
    await out.close();
  }
}

function encodeTensor({ name, type }: GgufTensor, values: Float32Array): Buffer {
  if (type === "f32") return bytesOf(values);
  if (type === "q8_0") return quantize(values);
  const out = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) {
    const bits = halfBits(Math.abs(value));
    if (bits === INFINITE_HALF)
      throw new Error(`${name}: float16 holds up to 65504, got ${value}; choose f32`);
    out.writeUInt16LE(bits | (value < 0 ? 0x8000 : 0), 2 * index);
  }
  return out;
}

/** Quantizes like ggml's `quantize_row_q8_0`. */
export function quantize(values: Float32Array): Buffer {
  const out = Buffer.alloc((values.length / BLOCK) * BLOCK_BYTES);
  for (let block = 0; block * BLOCK < values.length; block++) {
    const first = block * BLOCK;
    let maximum = 0;
    for (let i = 0; i < BLOCK; i++) maximum = Math.max(maximum, Math.abs(values[first + i]!));
    const scale = maximum / 127;
    const at = block * BLOCK_BYTES;
    out.writeUInt16LE(halfBits(scale), at);
    if (scale === 0) continue;
    for (let i = 0; i < BLOCK; i++) out.writeInt8(Math.round(values[first + i]! / scale), at + 2 + i);
  }
  return out;
}

/** Bits of the float16 nearest to a non-negative number, ties to even. */
export function halfBits(value: number): number {
  if (value >= 65_520) return INFINITE_HALF;
  const exponent = Math.max(-14, Math.floor(Math.log2(value)));
  // The value in units of the last place: an integer for exact float16 values.
  const units = value / 2 ** (exponent - 10);
  const floor = Math.floor(units);
  const isUp = units - floor > 0.5 || (units - floor === 0.5 && floor % 2 === 1);
  // A normal number has 1024 units more than its mantissa bits, and adding them carries into the exponent.
  return ((exponent + 14) << 10) + floor + Number(isUp);
}

function byteLength({ name, shape, type }: GgufTensor): number {
  const count = elements(shape);
  if (type !== "q8_0") return (type === "f32" ? 4 : 2) * count;
  const row = shape.at(-1) ?? 0;
  if (row % BLOCK !== 0)
    throw new Error(`${name}: Q8_0 takes rows of a multiple of ${BLOCK} values, got rows of ${row}`);
  return (count / BLOCK) * BLOCK_BYTES;
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function encode(value: GgufValue): Buffer {
  const typed = (type: keyof typeof ValueType, ...parts: Uint8Array[]) =>
    Buffer.concat([uint32(ValueType[type]), ...parts]);
  if (typeof value === "string") return typed("string", text(value));
  if (typeof value === "boolean") return typed("bool", Buffer.from([Number(value)]));
  if (typeof value === "number") return typed("uint32", uint32(value));
  if ("float32" in value) return typed("float32", bytesOf(Float32Array.of(value.float32)));
  const [type, items] =
    value instanceof Uint8Array
      ? (["uint8", [value]] as const)
      : value instanceof Int32Array
        ? (["int32", [bytesOf(value)]] as const)
        : value instanceof Float32Array
          ? (["float32", [bytesOf(value)]] as const)
          : (["string", value.map(text)] as const);
  return typed("array", uint32(ValueType[type]), uint64(value.length), ...items);
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function text(value: string): Buffer {
  const utf8 = Buffer.from(value);
  return Buffer.concat([uint64(utf8.length), utf8]);
}

function uint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
}

function uint64(value: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return out;
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content], aligned(content.length));
}
