import yauzl from "yauzl";
import { ImportError } from "./error.js";
import { isZip, KIND_BYTES, kindOf } from "./file-kind.js";
import { assertWithin, type Bytes, OpenFile } from "./open-file.js";

/** A checkpoint holds an entry per tensor; a thousand layers with their optimizer state stay below this. */
const MAX_ENTRIES = 100_000;
const LOCAL_HEADER_BYTES = 30;
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
  readonly #open: OpenFile;
  readonly #zip: yauzl.ZipFile;
  readonly #members: Map<string, Member>;

  private constructor(open: OpenFile, zip: yauzl.ZipFile, members: Map<string, Member>) {
    this.file = open.file;
    this.#open = open;
    this.#zip = zip;
    this.#members = members;
  }

  static async open(file: string): Promise<Archive> {
    const open = await OpenFile.open(file);
    try {
      await assertZip(open);
      const options = { autoClose: false, strictFileNames: true, validateEntrySizes: false };
      const zip = await attempt(file, () =>
        yauzl.fromRandomAccessReaderPromise(new FileReader(open), open.size, options),
      );
      return new Archive(open, zip, await listMembers(file, zip, open.size));
    } catch (error) {
      await open.close();
      throw error;
    }
  }

  /** Bytes of the member, or undefined where there is none; names are relative to the archive's folder. */
  size(name: string): number | undefined {
    return this.#members.get(name)?.entry.uncompressedSize;
  }

  /** The member, to be read later; undefined where there is none. */
  member(name: string): Bytes | undefined {
    const size = this.size(name);
    if (size === undefined) return undefined;
    return { file: this.file, name, size, read: (offset, into) => this.read(name, offset, into) };
  }

  /** Fills `into` with the member's bytes from `offset` on; the range must lie within the member. */
  async read(name: string, offset: number, into: Uint8Array): Promise<void> {
    const member = this.#members.get(name);
    assertWithin(name, member?.entry.uncompressedSize ?? 0, offset, into.length);
    if (member === undefined) return;
    await this.#open.read((await this.#locate(member)) + offset, into, name);
  }

  close(): Promise<void> {
    return this.#open.close();
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
  readonly #open: OpenFile;
  #ahead: Block = { start: 0, bytes: Buffer.alloc(0) };

  constructor(open: OpenFile) {
    super();
    this.#open = open;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    if (!Number.isSafeInteger(position) || position < 0 || position + length > this.#open.size) {
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
    const bytesRead = await this.#open.readSome(position, wanted);
    const block = { start: position, bytes: wanted.subarray(0, bytesRead) };
    this.#ahead = block;
    return block;
  }
}

async function assertZip(open: OpenFile): Promise<void> {
  const start = await open.head(KIND_BYTES);
  if (isZip(start)) return;
  throw new ImportError(
    open.file,
    `expected a PyTorch checkpoint as torch.save writes it (a zip archive), got ${kindOf(start)}`,
  );
}

async function listMembers(file: string, zip: yauzl.ZipFile, size: number): Promise<Map<string, Member>> {
  const entries = new Map<string, yauzl.Entry>();
  await attempt(file, async () => {
    for await (const entry of zip.eachEntry()) {
      assertNoScript(file, entry.fileName);
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

/** torch.jit.save writes these members, and torch.save doesn't. */
function assertNoScript(file: string, name: string): void {
  if (/^[^/]+\/(?:code\/|constants\.pkl$)/.test(name))
    throw new ImportError(
      file,
      `expected a state dict, got a TorchScript archive, which is code (nothing was run); load it with torch.jit.load and save its state dict: torch.save(model.state_dict(), "model.pt")`,
    );
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
