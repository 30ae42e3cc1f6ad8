import { type FileHandle, open, stat } from "node:fs/promises";
import { ImportError } from "./error.js";

/** One read(2) moves at most 2 GiB on Linux. */
const MAX_READ = 1 << 30;

/** A run of bytes in some file: a zip archive's member, a tensor's data. */
export interface Bytes {
  readonly file: string;
  /** What the bytes are called in the file, for messages. */
  readonly name: string;
  readonly size: number;
  /**
   * Fills `into` with the bytes from `offset` on.
   * @throws RangeError if the range isn't within the run, ImportError if the file can't be read
   */
  read(offset: number, into: Uint8Array): Promise<void>;
}

/** A regular file, read by range. Every failure is an `ImportError`. */
export class OpenFile {
  readonly file: string;
  readonly size: number;
  readonly #handle: FileHandle;

  private constructor(file: string, handle: FileHandle, size: number) {
    this.file = file;
    this.#handle = handle;
    this.size = size;
  }

  static async open(file: string): Promise<OpenFile> {
    let handle: FileHandle | undefined;
    try {
      const found = await stat(file);
      if (!found.isFile()) {
        const kind = found.isDirectory() ? "a folder" : "not a regular file";
        throw new ImportError(file, `expected a PyTorch checkpoint, but this is ${kind}`);
      }
      handle = await open(file, "r");
      return new OpenFile(file, handle, (await handle.stat()).size);
    } catch (error) {
      await handle?.close();
      if (error instanceof ImportError) throw error;
      const { code, message } = error as NodeJS.ErrnoException;
      throw new ImportError(
        file,
        code === "ENOENT" ? "no such file" : `can't be opened (${code ?? message})`,
      );
    }
  }

  /** The first bytes, fewer where the file is shorter. */
  async head(length: number): Promise<Buffer> {
    const head = Buffer.alloc(Math.min(length, this.size));
    return head.subarray(0, await this.readSome(0, head));
  }

  /** Bytes that one read gives; 0 at the file's end. */
  async readSome(position: number, into: Uint8Array): Promise<number> {
    try {
      const length = Math.min(into.length, MAX_READ);
      return (await this.#handle.read(into, 0, length, position)).bytesRead;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw new ImportError(this.file, `can't be read (${code ?? message})`);
    }
  }

  /** Fills `into`; `name` says in a message what lies there. */
  async read(position: number, into: Uint8Array, name: string): Promise<void> {
    for (let done = 0; done < into.length; ) {
      const bytesRead = await this.readSome(position + done, into.subarray(done));
      if (bytesRead === 0) throw new ImportError(this.file, `the file ends inside "${name}"`);
      done += bytesRead;
    }
  }

  /** The `size` bytes from `start` on; the caller has checked that they lie within the file. */
  section(name: string, start: number, size: number): Bytes {
    return {
      file: this.file,
      name,
      size,
      read: async (offset, into) => {
        assertWithin(name, size, offset, into.length);
        await this.read(start + offset, into, name);
      },
    };
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

export function assertWithin(name: string, size: number, offset: number, length: number): void {
  if (offset < 0 || offset + length > size)
    throw new RangeError(`${name}: no bytes ${offset} to ${offset + length}`);
}
