import { type FileHandle, open, stat } from "node:fs/promises";
import yauzl from "yauzl";
import { ImportError } from "./error.js";

/** A checkpoint holds an entry per tensor; a thousand layers with their optimizer state stay below this. */
const MAX_ENTRIES = 100_000;
const LOCAL_HEADER_BYTES = 30;
/** One read(2) moves at most 2 GiB on Linux. */
const MAX_READ = 1 << 30;
const READ_AHEAD = 4096;

interface Member {
  entry: yauzl.Entry;
  /** Where the next member's header begins, or the file ends. No byte of this member lies past it. */
  limit: number;
  /** Offset of the data in the file, once the local header has been read. */
  start?: number;
}

/**
 * The zip archive that `torch.save` writes: stored members below one folder of any name, one of them `data.pkl`.
 * Opening reads the central directory alone; members are read by range, so what nobody asks for is never read.
 * Every failure is an `ImportError`.
 */
export class Archive {
  readonly file: string;
  readonly #handle: FileHandle;
  readonly #zip: yauzl.ZipFile;
  readonly #members: Map<string, Member>;

  private constructor(file: string, handle: FileHandle, zip: yauzl.ZipFile, members: Map<string, Member>) {
    this.file = file;
    this.#handle = handle;
    this.#zip = zip;
    this.#members = members;
  }

  static async open(file: string): Promise<Archive> {
    const handle = await openFile(file);
    try {
      const size = (await handle.stat()).size;
      await assertZip(file, handle);
      const reader = new FileReader(handle, size);
      const options = { autoClose: false, strictFileNames: true, validateEntrySizes: false };
      const zip = await attempt(file, () => yauzl.fromRandomAccessReaderPromise(reader, size, options));
      return new Archive(file, handle, zip, await listMembers(file, zip, size));
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Bytes of the member, or undefined where there is none; names are relative to the archive's folder. */
  size(name: string): number | undefined {
    return this.#members.get(name)?.entry.uncompressedSize;
  }

  /** Fills `into` with the member's bytes from `offset` on; the range must lie within the member. */
  async read(name: string, offset: number, into: Uint8Array): Promise<void> {
    const member = this.#members.get(name);
    if (member === undefined || offset + into.length > member.entry.uncompressedSize)
      throw new RangeError(`${name}: no bytes ${offset} to ${offset + into.length}`);
    const start = await this.#locate(member);
    for (let done = 0; done < into.length; ) {
      const length = Math.min(into.length - done, MAX_READ);
      const { bytesRead } = await attempt(this.file, () =>
        this.#handle.read(into, done, length, start + offset + done),
      );
      if (bytesRead === 0) throw new ImportError(this.file, `the file ends inside "${name}"`);
      done += bytesRead;
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async #locate(member: Member): Promise<number> {
    if (member.start !== undefined) return member.start;
    const { entry, limit } = member;
    const header = await attempt(this.file, () =>
      this.#zip.readLocalFileHeaderPromise(entry, { minimal: true }),
    );
    if (header.fileDataStart + entry.uncompressedSize > limit)
      throw new ImportError(this.file, `corrupt zip archive: "${entry.fileName}" runs into what follows it`);
    member.start = header.fileDataStart;
    return member.start;
  }
}

interface Block {
  start: number;
  bytes: Buffer;
}

/**
 * Serves yauzl's reads, checked against the file's size first. Positions come from the file, and `fs.read` would throw
 * on a bad one inside yauzl's callback, where nobody can catch it. Reads ahead, since yauzl reads the directory in two
 * small pieces for each entry.
 */
class FileReader extends yauzl.RandomAccessReader {
  readonly #handle: FileHandle;
  readonly #size: number;
  #ahead: Block = { start: 0, bytes: Buffer.alloc(0) };

  constructor(handle: FileHandle, size: number) {
    super();
    this.#handle = handle;
    this.#size = size;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    if (!Number.isSafeInteger(position) || position < 0 || position + length > this.#size) {
      setImmediate(callback, new Error(`a record at byte ${position} lies past the end of the file`));
      return;
    }
    this.#block(position, length).then(
      ({ start, bytes }) => {
        const copied = bytes.copy(buffer, offset, position - start, position - start + length);
        callback(copied < length ? new Error("unexpected end of file") : null);
      },
      (error: Error) => callback(error),
    );
  }

  /** Returns the block, since a concurrent read may replace `#ahead`. */
  async #block(position: number, length: number): Promise<Block> {
    const { start, bytes } = this.#ahead;
    if (position >= start && position + length <= start + bytes.length) return this.#ahead;
    const wanted = Buffer.alloc(Math.max(length, READ_AHEAD));
    const { bytesRead } = await this.#handle.read(wanted, 0, wanted.length, position);
    const block = { start: position, bytes: wanted.subarray(0, bytesRead) };
    this.#ahead = block;
    return block;
  }
}

async function openFile(file: string): Promise<FileHandle> {
  try {
    const found = await stat(file);
    if (!found.isFile()) {
      const kind = found.isDirectory() ? "a folder" : "not a regular file";
      throw new ImportError(file, `expected a PyTorch checkpoint, but this is ${kind}`);
    }
    return await open(file, "r");
  } catch (error) {
    if (error instanceof ImportError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new ImportError(file, code === "ENOENT" ? "no such file" : `can't be opened (${code ?? message})`);
  }
}

/**
 * Says what the file is if it is no archive: "not a zip" doesn't help somebody with an old or half-copied checkpoint.
 */
async function assertZip(file: string, handle: FileHandle): Promise<void> {
  const head = Buffer.alloc(16);
  const { bytesRead } = await attempt(file, () => handle.read(head, 0, head.length, 0));
  const start = head.subarray(0, bytesRead);
  if (start.subarray(0, 4).equals(Buffer.from("PK\x03\x04", "latin1"))) return;
  throw new ImportError(
    file,
    `expected a PyTorch checkpoint as torch.save writes it (a zip archive), got ${kindOf(start)}`,
  );
}

function kindOf(start: Buffer): string {
  if (start.length === 0) return "an empty file";
  if (start[0] === 0x80 && start[1]! <= 5)
    return "a bare pickle, as PyTorch wrote before 1.6; load it and torch.save it again with a newer PyTorch";
  if (start[0] === 0x1f && start[1] === 0x8b) return "a gzip file; unpack it first";
  if (start.subarray(0, 4).equals(Buffer.from("GGUF"))) return "a GGUF file";
  if (start[8] === 0x7b && start.readUInt16LE(6) === 0) return "what looks like a safetensors file";
  if (start.every((byte) => byte >= 0x20 || (byte >= 0x09 && byte <= 0x0d))) return "what looks like text";
  return `a file that starts with the bytes ${start.subarray(0, 4).toString("hex")}`;
}

async function listMembers(file: string, zip: yauzl.ZipFile, size: number): Promise<Map<string, Member>> {
  const entries = new Map<string, yauzl.Entry>();
  await attempt(file, async () => {
    for await (const entry of zip.eachEntry()) {
      assertStored(file, entry);
      if (entries.has(entry.fileName))
        throw new ImportError(file, `corrupt zip archive: two entries named "${entry.fileName}"`);
      if (entries.size === MAX_ENTRIES)
        throw new ImportError(file, `expected at most ${MAX_ENTRIES} zip entries, got ${zip.entryCount}`);
      entries.set(entry.fileName, entry);
    }
  });
  const pickles = [...entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1)
    throw new ImportError(
      file,
      `expected a PyTorch checkpoint, got a zip archive with ${pickles.length || "no"} data.pkl`,
    );
  const folder = pickles[0]!.slice(0, -"data.pkl".length);
  const members = new Map<string, Member>();
  for (const [name, member] of withLimits(file, [...entries.values()], size))
    if (name.startsWith(folder)) members.set(name.slice(folder.length), member);
  return members;
}

/** torch.save never compresses. A compressed entry is not its work, and may be a zip bomb. */
function assertStored(file: string, entry: yauzl.Entry): void {
  const { fileName, compressedSize, uncompressedSize, compressionMethod } = entry;
  if (entry.isEncrypted()) throw new ImportError(file, `the zip entry "${fileName}" is encrypted`);
  if (compressionMethod !== 0 || compressedSize !== uncompressedSize)
    throw new ImportError(
      file,
      `the zip entry "${fileName}" is compressed (method ${compressionMethod}, ${compressedSize} to ${uncompressedSize} bytes); torch.save stores entries as they are`,
    );
}

function withLimits(file: string, entries: yauzl.Entry[], size: number): [string, Member][] {
  entries.sort((a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader);
  return entries.map((entry, index) => {
    const limit = entries[index + 1]?.relativeOffsetOfLocalHeader ?? size;
    const { relativeOffsetOfLocalHeader: header, uncompressedSize, fileName, fileNameLength } = entry;
    // Written so that a size near 2^64 can't round its way past the check.
    if (uncompressedSize > limit - header - LOCAL_HEADER_BYTES - fileNameLength)
      throw new ImportError(
        file,
        `corrupt zip archive: "${fileName}" (${uncompressedSize} bytes from byte ${header}) overlaps what follows it or runs past the file's end`,
      );
    return [fileName, { entry, limit }];
  });
}

async function attempt<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ImportError) throw error;
    throw new ImportError(
      file,
      `can't be read as a zip archive, is it truncated? (${(error as Error).message})`,
    );
  }
}
