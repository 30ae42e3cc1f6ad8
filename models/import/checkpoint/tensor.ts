import { ImportError } from "./error.js";
import type { Bytes } from "./open-file.js";

/** Bytes of an element. */
export const DTYPES = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  float64: 8,
  int8: 1,
  uint8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  uint16: 2,
  uint32: 4,
  uint64: 8,
  bool: 1,
  complex64: 8,
  complex128: 16,
} as const;

export type Dtype = keyof typeof DTYPES;

const FLOATS: ReadonlySet<Dtype> = new Set(["float32", "float16", "bfloat16", "float64"]);
const MAX_RANK = 16;
/** 4 GiB of float32: far more than any weight of a model that this server can run. */
const MAX_ELEMENTS = 2 ** 30;

/** A flat run of elements in a file; tensors are views of it and may share it. */
export class Storage {
  constructor(
    readonly bytes: Bytes,
    readonly dtype: Dtype,
    /** In elements. */
    readonly length: number,
  ) {
    const expected = length * DTYPES[dtype];
    if (bytes.size !== expected)
      throw new ImportError(
        bytes.file,
        `the storage "${bytes.name}" should hold ${length} ${dtype} (${expected} bytes), but holds ${bytes.size} bytes`,
      );
  }

  /** `length` elements from `offset` on, as float32. */
  async readFloats(offset: number, length: number): Promise<Float32Array<ArrayBuffer>> {
    const raw = new ArrayBuffer(length * DTYPES[this.dtype]);
    await this.bytes.read(offset * DTYPES[this.dtype], new Uint8Array(raw));
    switch (this.dtype) {
      case "float32":
        return new Float32Array(raw);
      case "float64":
        return new Float32Array(new Float64Array(raw));
      case "float16":
        return fromHalf(new Uint16Array(raw));
      case "bfloat16":
        return fromBrain(new Uint16Array(raw));
      default:
        throw new TypeError(`${this.dtype} is no float type`);
    }
  }
}

/** A strided view of a storage, read on demand. */
export class Tensor {
  /** Number of elements. */
  readonly elements: number;

  /**
   * All arguments come from the file, so the constructor checks that every element lies within the storage.
   * @throws ImportError
   */
  constructor(
    readonly storage: Storage,
    /** Offset in elements, like the strides. */
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {
    const valid =
      shape.length === strides.length &&
      shape.length <= MAX_RANK &&
      [offset, ...shape, ...strides].every((value) => Number.isSafeInteger(value) && value >= 0);
    if (!valid) throw this.#broken();
    this.elements = shape.reduce((product, size) => product * size, 1);
    // Above 2^53 results are inexact but still larger than any storage, so the check rejects them.
    if (this.elements > 0 && offset + this.#span() > storage.length) throw this.#broken();
  }

  /** A tensor that owns its storage: row-major, all of it. */
  static whole(bytes: Bytes, dtype: Dtype, shape: readonly number[]): Tensor {
    const strides: number[] = [];
    let elements = 1;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      strides.unshift(elements);
      elements *= shape[axis]!;
    }
    return new Tensor(new Storage(bytes, dtype, elements), 0, shape, strides);
  }

  get dtype(): Dtype {
    return this.storage.dtype;
  }

  /** The file that it lies in, for messages. */
  get file(): string {
    return this.storage.bytes.file;
  }

  get isFloat(): boolean {
    return FLOATS.has(this.dtype);
  }

  /** True where both are the same view of the same storage. */
  sameAs(other: Tensor): boolean {
    return (
      this.storage === other.storage &&
      this.offset === other.offset &&
      String(this.shape) === String(other.shape) &&
      String(this.strides) === String(other.strides)
    );
  }

  /**
   * A contiguous row-major copy in float32, owned by the caller.
   * @throws ImportError for an integer tensor, and for one that is larger than the storage it is a view of.
   */
  async read(): Promise<Float32Array<ArrayBuffer>> {
    const { file } = this;
    if (!this.isFloat) throw new ImportError(file, `expected a float tensor, got ${this.dtype}`);
    // A stride of 0 makes any size out of one element. A file must not make us allocate more than its own size.
    if (this.elements > this.storage.length)
      throw new ImportError(
        file,
        `refused to read a tensor of ${this.elements} elements from a storage of ${this.storage.length}`,
      );
    if (this.elements === 0) return new Float32Array(0);
    const span = this.#span();
    if (span > MAX_ELEMENTS)
      throw new ImportError(file, `expected a tensor of at most ${MAX_ELEMENTS} elements, got ${span}`);
    const floats = await this.storage.readFloats(this.offset, span);
    return this.#isContiguous() ? floats : gather(floats, this.shape, this.strides);
  }

  /** Elements from the first to the last one that the view touches; only for a tensor that has elements. */
  #span(): number {
    return this.shape.reduce((span, size, axis) => span + (size - 1) * this.strides[axis]!, 1);
  }

  #isContiguous(): boolean {
    let expected = 1;
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      if (this.shape[axis] !== 1 && this.strides[axis] !== expected) return false;
      expected *= this.shape[axis]!;
    }
    return true;
  }

  #broken(): ImportError {
    const { bytes, length } = this.storage;
    return new ImportError(
      bytes.file,
      `a tensor of shape [${this.shape}], strides [${this.strides}] and offset ${this.offset} doesn't fit its storage "${bytes.name}" of ${length} elements`,
    );
  }
}

function gather(from: Float32Array, shape: readonly number[], strides: readonly number[]) {
  const rows = shape.slice(0, -1);
  const columns = shape.at(-1)!;
  const step = strides.at(-1)!;
  const out = new Float32Array(shape.reduce((product, size) => product * size, 1));
  const index = rows.map(() => 0);
  let start = 0;
  for (let at = 0; at < out.length; ) {
    for (let column = 0; column < columns; column++) out[at++] = from[start + column * step]!;
    // Count up like an odometer: the last axis that isn't at its end moves, those behind it start over.
    for (let axis = rows.length - 1; axis >= 0; axis--) {
      start += strides[axis]!;
      index[axis]!++;
      if (index[axis]! < rows[axis]!) break;
      start -= rows[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** bfloat16 is the upper half of a float32. */
function fromBrain(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = bits[i]! << 16;
  return new Float32Array(out.buffer);
}

function fromHalf(bits: Uint16Array): Float32Array<ArrayBuffer> {
  halves ??= Float32Array.from({ length: 0x10000 }, (_, value) => half(value));
  const out = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = halves[bits[i]!]!;
  return out;
}

/** Every float16 as a float32, made when the first one is read. */
let halves: Float32Array | undefined;

export function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
