import { type FileHandle, open } from "node:fs/promises";

/** Rows of logits on the disk: those of a large vocabulary would take more memory than the model. */
export class LogitFile {
  readonly #handle: FileHandle;
  readonly #vocabulary: number;
  #rows = 0;

  private constructor(handle: FileHandle, vocabulary: number) {
    this.#handle = handle;
    this.#vocabulary = vocabulary;
  }

  /** Creates the file, or empties it. */
  static async create(path: string, vocabulary: number): Promise<LogitFile> {
    return new LogitFile(await open(path, "w+"), vocabulary);
  }

  /** @param logits float32 [rows, vocabulary] */
  async append(logits: Float32Array): Promise<void> {
    const bytes = new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength);
    await this.#handle.appendFile(bytes);
    this.#rows += logits.length / this.#vocabulary;
  }

  /** @param index of the row, as they were appended */
  async row(index: number): Promise<Float32Array> {
    if (index >= this.#rows) throw new RangeError(`expected one of ${this.#rows} rows, got ${index}`);
    const row = new Float32Array(this.#vocabulary);
    const bytes = new Uint8Array(row.buffer);
    for (let done = 0; done < bytes.length; ) {
      const at = index * bytes.length + done;
      const { bytesRead } = await this.#handle.read(bytes, done, bytes.length - done, at);
      if (bytesRead === 0) throw new Error("expected the logits that were written, got the file's end");
      done += bytesRead;
    }
    return row;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
