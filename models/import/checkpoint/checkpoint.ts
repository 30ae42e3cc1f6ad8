import { Archive } from "./archive.js";
import { ImportError } from "./error.js";
import { Global, Tuple, unpickle, type Value } from "./pickle.js";
import { DTYPES, type Dtype, Storage, Tensor } from "./tensor.js";

const MAX_PICKLE_BYTES = 64 << 20;

const STORAGE_TYPES: Record<string, Dtype> = {
  "torch.FloatStorage": "float32",
  "torch.HalfStorage": "float16",
  "torch.BFloat16Storage": "bfloat16",
  "torch.DoubleStorage": "float64",
  "torch.CharStorage": "int8",
  "torch.ByteStorage": "uint8",
  "torch.ShortStorage": "int16",
  "torch.IntStorage": "int32",
  "torch.LongStorage": "int64",
  "torch.BoolStorage": "bool",
};

/** An open PyTorch checkpoint. */
export interface Checkpoint {
  readonly file: string;
  /** The value that `torch.load` would return. Its tensors are read on demand. */
  readonly root: Value;
  /** No tensor can be read afterwards. */
  close(): Promise<void>;
}

/**
 * Opens what `torch.save` wrote (the zip format of PyTorch 1.6 and later) without trusting it: nothing in it is run, and
 * of the tensors only names, shapes and places are read.
 * @throws ImportError
 */
export async function openCheckpoint(file: string): Promise<Checkpoint> {
  const archive = await Archive.open(file);
  try {
    await assertLittleEndian(archive);
    const size = archive.size("data.pkl") ?? 0;
    if (size > MAX_PICKLE_BYTES)
      throw new ImportError(file, `expected a data.pkl of at most ${MAX_PICKLE_BYTES} bytes, got ${size}`);
    const bytes = new Uint8Array(size);
    await archive.read("data.pkl", 0, bytes);
    const root = unpickle(bytes, {
      file,
      globals: torchGlobals(file),
      persistentLoad: storageLoader(archive),
    });
    return { file, root, close: () => archive.close() };
  } catch (error) {
    await archive.close();
    throw error;
  }
}

async function assertLittleEndian(archive: Archive): Promise<void> {
  const size = archive.size("byteorder");
  if (size === undefined) return;
  const bytes = Buffer.alloc(Math.min(size, 16));
  await archive.read("byteorder", 0, bytes);
  if (bytes.toString("latin1") !== "little")
    throw new ImportError(
      archive.file,
      `expected the byte order "little", got ${JSON.stringify(bytes.toString("latin1"))}`,
    );
}

/** Creates one `Storage` per key, so tensors that share memory still do. Rejects contradictory references. */
function storageLoader(archive: Archive): (id: Value) => Storage {
  const storages = new Map<string, Storage>();
  return (id) => {
    const [tag, type, key, , length] = id instanceof Tuple ? id.items : [];
    const dtype = type instanceof Global ? STORAGE_TYPES[type.name] : undefined;
    if (tag !== "storage" || dtype === undefined || typeof key !== "string" || !isCount(length))
      throw new ImportError(archive.file, "expected a reference to a tensor's storage in data.pkl");
    const known = storages.get(key);
    if (known === undefined) {
      const storage = new Storage(archive, key, dtype, length);
      storages.set(key, storage);
      return storage;
    }
    if (known.dtype !== dtype || known.length !== length)
      throw new ImportError(
        archive.file,
        `the storage "data/${key}" is ${known.length} ${known.dtype} in one place and ${length} ${dtype} in another`,
      );
    return known;
  };
}

/** All globals that a state dict and an optimizer's state use. The functions are ours, and only put values together. */
function torchGlobals(file: string): ReadonlyMap<string, Global> {
  const wrong = (name: string) =>
    new ImportError(file, `data.pkl calls ${name} with other arguments than torch does`);
  const globals = new Map<string, Global>();
  const constant = (name: string) => globals.set(name, new Global(name));
  const callable = (name: string, call: (args: readonly Value[]) => Value | undefined) =>
    globals.set(
      name,
      new Global(name, (args) => {
        const value = call(args);
        if (value === undefined) throw wrong(name);
        return value;
      }),
    );

  const rebuild = ([storage, offset, size, stride]: readonly Value[]) => {
    const shape = counts(size);
    const strides = counts(stride);
    if (!(storage instanceof Storage) || !isCount(offset) || !shape || !strides) return undefined;
    return new Tensor(storage, offset, shape, strides);
  };
  callable("torch._utils._rebuild_tensor_v2", rebuild);
  callable("torch._utils._rebuild_tensor", rebuild);
  callable("torch._utils._rebuild_parameter", ([data]) => (data instanceof Tensor ? data : undefined));
  callable("collections.OrderedDict", (args) => (args.length === 0 ? new Map() : undefined));
  callable("torch.Size", ([size]) => (size instanceof Tuple ? size : undefined));
  callable("torch.device", ([name]) => (typeof name === "string" ? name : undefined));
  callable("torch.serialization._get_layout", ([name]) => (typeof name === "string" ? name : undefined));
  for (const name of Object.keys(STORAGE_TYPES)) constant(name);
  for (const name of Object.keys(DTYPES)) constant(`torch.${name}`);
  return globals;
}

function counts(value: Value | undefined): number[] | undefined {
  if (!(value instanceof Tuple) || !value.items.every(isCount)) return undefined;
  return value.items.filter(isCount);
}

function isCount(value: Value | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
