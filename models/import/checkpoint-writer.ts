/**
 * Writes checkpoints as `torch.save` does, without PyTorch: a pickle writer and a zip writer. Tests make of them what an
 * attacker would write, the benchmark a model with a larger vocabulary.
 */
import { DTYPES, type Dtype } from "./tensor.js";

const STORAGE_NAMES: Record<Dtype, string> = {
  float32: "FloatStorage",
  float16: "HalfStorage",
  bfloat16: "BFloat16Storage",
  float64: "DoubleStorage",
  int8: "CharStorage",
  uint8: "ByteStorage",
  int16: "ShortStorage",
  int32: "IntStorage",
  int64: "LongStorage",
  bool: "BoolStorage",
};

/** What `pickle` can write: an object or a `Map` is a dict, an array a list; a number is an int where it is whole. */
export type Plain =
  | null
  | boolean
  | number
  | bigint
  | string
  | Plain[]
  | Map<string | number, Plain>
  | { [key: string]: Plain }
  | FakeTuple
  | FakeTensor
  | FakeState
  | RawPickle;

export class FakeTuple {
  constructor(readonly items: Plain[]) {}
}

/** An `OrderedDict` with `_metadata`, as `module.state_dict()` returns it. */
export class FakeState {
  constructor(readonly tensors: Map<string, Plain>) {}
}

/** Opcodes that push one value. */
export class RawPickle {
  constructor(readonly opcodes: Buffer) {}
}

export class FakeStorage {
  readonly bytes: Buffer;

  constructor(
    readonly dtype: Dtype,
    values: ArrayLike<number>,
  ) {
    this.bytes = encode(dtype, values);
  }

  get length(): number {
    return this.bytes.length / DTYPES[this.dtype];
  }
}

export class FakeTensor {
  constructor(
    readonly storage: FakeStorage,
    readonly shape: readonly number[],
    readonly strides: readonly number[] = rowMajor(shape),
    readonly offset = 0,
  ) {}
}

export function tensor(dtype: Dtype, shape: readonly number[], values: ArrayLike<number>): FakeTensor {
  return new FakeTensor(new FakeStorage(dtype, values), shape);
}

/** Protocol 2 is PyTorch's default. */
export function pickle(value: Plain, storages: Map<FakeStorage, string> = new Map(), protocol = 2): Buffer {
  const out: Buffer[] = [Buffer.from([0x80, protocol])];
  const op = (code: string | number) =>
    out.push(typeof code === "string" ? Buffer.from(code, "latin1") : Buffer.from([code]));
  let memo = 0;
  const put = () => (protocol >= 4 ? op(0x94) : out.push(bytes("r", 4, memo++)));
  const text = (string: string) => {
    const utf8 = Buffer.from(string);
    out.push(bytes("X", 4, utf8.length), utf8);
    put();
  };
  const global = (module: string, name: string) => {
    if (protocol < 4) op(`c${module}\n${name}\n`);
    else {
      text(module);
      text(name);
      op(0x93);
    }
    put();
  };
  const tuple = (items: readonly Plain[]) => {
    op("(");
    items.forEach(write);
    op("t");
    put();
  };
  const items = (entries: Iterable<[Plain, Plain]>) => {
    op("(");
    for (const pair of entries) pair.forEach(write);
    op("u");
  };
  const ordered = () => {
    global("collections", "OrderedDict");
    op(")R");
    put();
  };
  const view = ({ storage, shape, strides, offset }: FakeTensor) => {
    if (!storages.has(storage)) storages.set(storage, String(storages.size));
    global("torch._utils", "_rebuild_tensor_v2");
    op("((");
    text("storage");
    global("torch", STORAGE_NAMES[storage.dtype]);
    text(storages.get(storage)!);
    text("cpu");
    write(storage.length);
    op("tQ");
    write(offset);
    tuple([...shape]);
    tuple([...strides]);
    write(false);
    ordered();
    op("tR");
    put();
  };
  const write = (item: Plain): void => {
    if (item === null) op("N");
    else if (typeof item === "boolean") op(item ? 0x88 : 0x89);
    else if (typeof item === "string") text(item);
    else if (typeof item === "bigint" || (Number.isInteger(item) && Math.abs(item as number) > 0x7fffffff))
      out.push(long(BigInt(item as number | bigint)));
    else if (typeof item === "number")
      out.push(Number.isInteger(item) ? bytes("J", 4, item >>> 0) : double(item));
    else if (item instanceof RawPickle) out.push(item.opcodes);
    else if (item instanceof FakeTensor) view(item);
    else if (item instanceof FakeTuple) tuple(item.items);
    else if (item instanceof FakeState) {
      ordered();
      items(item.tensors);
      op("}");
      items([["_metadata", new Map()]]);
      op("b");
    } else if (Array.isArray(item)) {
      op("]");
      put();
      op("(");
      item.forEach(write);
      op("e");
    } else {
      op("}");
      put();
      items(item instanceof Map ? item : Object.entries(item));
    }
  };
  write(value);
  op(".");
  return Buffer.concat(out);
}

export interface ZipEntry {
  name: string;
  data: Buffer;
  /** What the directory says, where that is not the truth. */
  method?: number;
  size?: number;
  compressedSize?: number;
  offset?: number;
  flags?: number;
}

/** Stored entries, their data aligned to 64 bytes by an extra field, as PyTorch aligns them. */
export function zip(entries: readonly ZipEntry[], options: { zip64?: boolean } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  const add = (part: Buffer) => {
    parts.push(part);
    at += part.length;
  };
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const header = at;
    const size = entry.size ?? entry.data.length;
    const compressed = entry.compressedSize ?? entry.data.length;
    const padding = 4 + ((64 - ((at + 30 + name.length + 4) % 64)) % 64);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(options.zip64 ? 45 : 20, 0);
    common.writeUInt16LE(entry.flags ?? 0, 2);
    common.writeUInt16LE(entry.method ?? 0, 4);
    common.writeUInt32LE(crc32(entry.data), 10);
    common.writeUInt32LE(options.zip64 ? 0xffffffff : compressed, 14);
    common.writeUInt32LE(options.zip64 ? 0xffffffff : size, 18);
    common.writeUInt16LE(name.length, 22);
    const extra = Buffer.alloc(padding);
    extra.write("FB");
    extra.writeUInt16LE(padding - 4, 2);
    const local = Buffer.from(common);
    local.writeUInt16LE(padding, 24);
    add(Buffer.concat([Buffer.from("PK\x03\x04"), local, name, extra, entry.data]));

    const offset = entry.offset ?? header;
    const wide = options.zip64 ? bigFields(0x0001, [size, compressed, offset]) : Buffer.alloc(0);
    common.writeUInt16LE(wide.length, 24);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(options.zip64 ? 0xffffffff : offset, 10);
    directory.push(Buffer.from("PK\x01\x02"), Buffer.from([20, 0]), common, tail, name, wide);
  }
  const start = at;
  add(Buffer.concat(directory));
  const end = Buffer.alloc(18);
  if (options.zip64) {
    const record = at;
    const end64 = Buffer.alloc(56);
    end64.write("PK\x06\x06");
    end64.writeBigUInt64LE(44n, 4);
    [entries.length, entries.length, record - start, start].forEach((value, index) => {
      end64.writeBigUInt64LE(BigInt(value), 24 + index * 8);
    });
    const locator = Buffer.alloc(20);
    locator.write("PK\x06\x07");
    locator.writeBigUInt64LE(BigInt(record), 8);
    locator.writeUInt32LE(1, 16);
    add(Buffer.concat([end64, locator]));
    end.fill(0xff, 4, 16);
  } else {
    end.writeUInt16LE(entries.length, 4);
    end.writeUInt16LE(entries.length, 6);
    end.writeUInt32LE(at - start, 8);
    end.writeUInt32LE(start, 12);
  }
  add(Buffer.concat([Buffer.from("PK\x05\x06"), end]));
  return Buffer.concat(parts);
}

export interface CheckpointOptions {
  /** The archive's folder; PyTorch takes the file's name. */
  folder?: string;
  protocol?: number;
  zip64?: boolean;
  byteorder?: string;
  /** Changes the entries before they are written. */
  tamper?: (entries: ZipEntry[]) => ZipEntry[];
}

/** The bytes that `torch.save(root, file)` would write. */
export function checkpoint(root: Plain, options: CheckpointOptions = {}): Buffer {
  const storages = new Map<FakeStorage, string>();
  const folder = options.folder ?? "archive";
  const data = pickle(root, storages, options.protocol);
  const entries: ZipEntry[] = [
    { name: `${folder}/data.pkl`, data },
    { name: `${folder}/byteorder`, data: Buffer.from(options.byteorder ?? "little") },
    ...[...storages].map(([storage, key]) => ({ name: `${folder}/data/${key}`, data: storage.bytes })),
    { name: `${folder}/version`, data: Buffer.from("3\n") },
  ];
  return zip(options.tamper?.(entries) ?? entries, { zip64: options.zip64 ?? false });
}

function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, axis) => product(shape.slice(axis + 1)));
}

function product(sizes: readonly number[]): number {
  return sizes.reduce((all, size) => all * size, 1);
}

function encode(dtype: Dtype, values: ArrayLike<number>): Buffer {
  const out = Buffer.alloc(values.length * DTYPES[dtype]);
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    const at = index * DTYPES[dtype];
    if (dtype === "float32") out.writeFloatLE(value, at);
    else if (dtype === "float64") out.writeDoubleLE(value, at);
    else if (dtype === "bfloat16") out.writeUInt16LE(floatBits(value) >>> 16, at);
    else if (dtype === "float16") out.writeUInt16LE(halfBits(value), at);
    else if (dtype === "int64") out.writeBigInt64LE(BigInt(value), at);
    else out.writeIntLE(value, at, DTYPES[dtype]);
  }
  return out;
}

function floatBits(value: number): number {
  const buffer = Buffer.alloc(4);
  buffer.writeFloatLE(value);
  return buffer.readUInt32LE();
}

/** For zero and the normal numbers that float16 holds exactly. */
function halfBits(value: number): number {
  if (value === 0) return 0;
  const bits = floatBits(value);
  const exponent = ((bits >>> 23) & 0xff) - 127 + 15;
  return ((bits >>> 16) & 0x8000) | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

function bytes(code: string, size: number, value: number): Buffer {
  const out = Buffer.alloc(1 + size);
  out.write(code, "latin1");
  out.writeUIntLE(value, 1, size);
  return out;
}

function double(value: number): Buffer {
  const out = Buffer.alloc(9);
  out.write("G");
  out.writeDoubleBE(value, 1);
  return out;
}

function long(value: bigint): Buffer {
  const size = 16;
  const out = Buffer.alloc(2 + size);
  out[0] = 0x8a;
  out[1] = size;
  for (let i = 0; i < size; i++) out[2 + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  return out;
}

function bigFields(id: number, values: readonly number[]): Buffer {
  const out = Buffer.alloc(4 + values.length * 8);
  out.writeUInt16LE(id, 0);
  out.writeUInt16LE(values.length * 8, 2);
  values.forEach((value, index) => {
    out.writeBigUInt64LE(BigInt(value), 4 + index * 8);
  });
  return out;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = (byte >>> 1) ^ (byte & 1 ? 0xedb88320 : 0);
  return byte;
});

function crc32(data: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]!;
  return ~crc >>> 0;
}
