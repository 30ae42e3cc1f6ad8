import { Archive } from "./archive.js";
import { ImportError } from "./error.js";
import { isCount, knownGlobals, STORAGE_TYPES } from "./globals.js";
import { Global, Tuple, unpickle, type Value } from "./pickle.js";
import { Storage } from "./tensor.js";

const MAX_PICKLE_BYTES = 64 << 20;

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
      globals: knownGlobals(file),
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
      const member = archive.member(`data/${key}`);
      if (member === undefined) throw new ImportError(archive.file, `the storage "data/${key}" is missing`);
      const storage = new Storage(member, dtype, length);
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
