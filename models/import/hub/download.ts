import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import type { HubCache } from "./cache.js";
import type { HubClient } from "./client.js";
import { PassingError } from "./passing-error.js";
import { refusalOf } from "./refusal.js";
import type { HubFile } from "./repository.js";

/** A file to fetch, and where it is on the hub. */
export interface Download {
  file: HubFile;
  /** The address of its bytes. */
  url: string;
  commit: string;
}

/**
 * Fetches a file into the cache, unless it is there. It continues a part that an earlier import has left. The part's
 * name is the hash of the whole, which is checked in the end, so it can't be of another version.
 * @param onBytes called with the number of bytes that have come; negative when bytes that had come are thrown away
 * @throws ImportError
 */
export async function download(
  client: HubClient,
  cache: HubCache,
  { file, url, commit }: Download,
  onBytes: (count: number) => void,
): Promise<void> {
  if (await cache.has(file)) return onBytes(file.size);
  const path = await cache.claim(file);
  const part = new Part(await open(path, "r+"), path, file, onBytes);
  try {
    const resumed = await part.resume();
    await client.patiently((onMoved) => receive(client, part, url, commit, onMoved));
    if (!part.isRight && resumed) {
      // What was there before may be the damage.
      await part.restart();
      await client.patiently((onMoved) => receive(client, part, url, commit, onMoved));
    }
    if (!part.isRight) {
      await part.restart();
      throw client.error(
        `expected ${file.path} with ${part.expected}, got other bytes; try again, and if that doesn't help, ask the model's owner`,
      );
    }
    await part.close();
    await cache.keep(path, file);
  } finally {
    await part.close();
    cache.release(path);
    if (part.length === 0) await rm(path, { force: true });
  }
}

/** Receives what is missing of a part. @throws PassingError to go on later, or ImportError */
async function receive(
  client: HubClient,
  part: Part,
  url: string,
  commit: string,
  onMoved: () => void,
): Promise<void> {
  const { size, path } = part.file;
  if (part.length === size && size > 0) return;
  const from = part.length;
  const { response, first, chunks, close } = await client.open(
    url,
    from > 0 ? { range: `bytes=${from}-` } : {},
  );
  try {
    const { status, headers } = response;
    const served = first.get("x-repo-commit");
    if (status === 416) {
      await part.restart();
      throw new PassingError("no part of the file");
    }
    if (status !== 200 && status !== 206) throw refusalOf(response, client.settings, client.subject);
    if (served !== null && served !== commit)
      throw client.error(
        `expected ${path} of commit ${commit}, got it of ${JSON.stringify(served.slice(0, 100))}`,
      );
    // A server without ranges sends everything again.
    if (status === 200) await part.restart();
    else if (
      !new RegExp(`^bytes ${from}-${size - 1}/(?:${size}|\\*)$`).test(headers.get("content-range") ?? "")
    )
      throw client.error(
        `expected bytes ${from} to ${size - 1} of ${path}, got ${JSON.stringify(headers.get("content-range"))}`,
      );
    const said = headers.get("content-length");
    if (said !== null && !headers.has("content-encoding") && Number(said) !== size - part.length)
      throw client.error(
        `expected ${size - part.length} bytes of ${path}, got an answer of ${said.slice(0, 20)}`,
      );
    for await (const chunk of chunks) {
      if (part.length + chunk.length > size) {
        await part.restart();
        throw client.error(`expected ${size} bytes of ${path}, got more`);
      }
      if (await part.append(chunk)) onMoved();
    }
    if (part.length < size) throw new PassingError(`${part.length} of ${size} bytes`);
  } finally {
    close();
  }
}

/** A file on its way, and the hash of what has come. */
class Part {
  length = 0;
  readonly file: HubFile;
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #onBytes: (count: number) => void;
  #hash: Hash;
  #furthest = 0;
  #digest: string | null = null;
  #isOpen = true;

  constructor(handle: FileHandle, path: string, file: HubFile, onBytes: (count: number) => void) {
    this.file = file;
    this.#handle = handle;
    this.#path = path;
    this.#onBytes = onBytes;
    this.#hash = this.#newHash();
  }

  /** Counts what is there already. Returns whether that is anything. */
  async resume(): Promise<boolean> {
    const { size } = await this.#handle.stat();
    if (size > this.file.size) {
      await this.restart();
      return false;
    }
    for await (const chunk of createReadStream(this.#path)) this.#hash.update(chunk);
    this.length = size;
    this.#furthest = size;
    if (size > 0) this.#onBytes(size);
    return size > 0;
  }

  /** Returns whether more is there than ever before: a server without ranges may break at the same place each time. */
  async append(chunk: Uint8Array): Promise<boolean> {
    await this.#handle.write(chunk, 0, chunk.length, this.length);
    this.#hash.update(chunk);
    this.length += chunk.length;
    this.#onBytes(chunk.length);
    const isNew = this.length > this.#furthest;
    this.#furthest = Math.max(this.length, this.#furthest);
    return isNew;
  }

  async restart(): Promise<void> {
    await this.#handle.truncate(0);
    if (this.length > 0) this.#onBytes(-this.length);
    this.length = 0;
    this.#hash = this.#newHash();
    this.#digest = null;
  }

  /** Whether the bytes that have come hash to what they should. */
  get isRight(): boolean {
    this.#digest ??= this.#hash.digest("hex");
    return this.#digest === this.file.hash.hex;
  }

  get expected(): string {
    return `${this.file.hash.kind === "git" ? "git hash" : "SHA-256"} ${this.file.hash.hex}`;
  }

  async close(): Promise<void> {
    if (this.#isOpen) await this.#handle.close();
    this.#isOpen = false;
  }

  #newHash(): Hash {
    if (this.file.hash.kind === "sha256") return createHash("sha256");
    return createHash("sha1").update(`blob ${this.file.size}\0`);
  }
}
