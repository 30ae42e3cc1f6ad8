import { statfs } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { ImportError } from "../checkpoint/error.js";
import { readShards } from "../checkpoint/shards.js";
import { HubCache } from "./cache.js";
import { chooseModel, chooseTokenizer } from "./choose.js";
import { HubClient } from "./client.js";
import { download } from "./download.js";
import { type HubReference, isHubReference, parseHubReference } from "./reference.js";
import { type HubFile, type HubRevision, openRevision } from "./repository.js";
import { type HubSettings, hubSettings } from "./settings.js";

export { isHubReference };

/** Progress of a download, in bytes. */
export interface DownloadProgress {
  done: number;
  total: number;
}

export interface FetchOptions {
  settings?: HubSettings;
  onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/**
 * Fetches the files of a model that an import needs, all of one commit, into Hugging Face's cache. Files that are there
 * aren't fetched again, and a download that broke off continues.
 * @returns the path of its weights, beside which the others lie; or of the folder, offline
 * @throws ImportError, with one line
 */
export async function fetchModel(
  text: string,
  { needsTokenizer, ...options }: FetchOptions & { needsTokenizer: boolean },
): Promise<string> {
  const { reference, settings, cache } = start(text, options);
  if (settings.offline) return cached(cache, reference);
  const fetching = new Fetching(reference, settings, cache, options.onProgress);
  const revision = await fetching.open();
  const { weights, others } = chooseModel(revision, reference.text, needsTokenizer);
  if (!weights.path.endsWith(".index.json")) return (await fetching.fetch([weights, ...others]))[0]!;
  const [index] = await fetching.fetch([weights], false);
  const { files } = await readShards(index!);
  const parts = files.map((file) => named(revision, basename(file), reference.text));
  await fetching.fetch([...parts, ...others]);
  return index!;
}

/** The same for a tokenizer. @returns the path of its file @throws ImportError */
export async function fetchTokenizer(text: string, options: FetchOptions = {}): Promise<string> {
  const { reference, settings, cache } = start(text, options);
  if (settings.offline) return cached(cache, reference);
  const fetching = new Fetching(reference, settings, cache, options.onProgress);
  const [path] = await fetching.fetch(chooseTokenizer(await fetching.open(), reference.text));
  return path!;
}

function start(text: string, { settings = hubSettings() }: FetchOptions) {
  const reference = parseHubReference(text);
  return { reference, settings, cache: new HubCache(settings.cache, reference.repository) };
}

async function cached(cache: HubCache, { text, revision, path }: HubReference): Promise<string> {
  const commit = /^[0-9a-f]{40}$/.test(revision) ? revision : await cache.noted(revision);
  if (commit !== null) return cache.snapshot(commit, path);
  throw new ImportError(
    text,
    "expected a model that was downloaded before, since HF_HUB_OFFLINE is set; got none",
  );
}

function named({ files, folder }: HubRevision, name: string, text: string): HubFile {
  const path = folder === "" ? name : `${folder}/${name}`;
  const found = files.find((file) => file.path === path);
  if (found !== undefined) return found;
  throw new ImportError(
    text,
    `expected all parts of the model, got an index with ${JSON.stringify(path)}, which isn't there`,
  );
}

/** One import's downloads. */
class Fetching {
  readonly #client: HubClient;
  #commit = "";

  constructor(
    readonly reference: HubReference,
    readonly settings: HubSettings,
    readonly cache: HubCache,
    readonly onProgress: FetchOptions["onProgress"],
  ) {
    this.#client = new HubClient(settings, reference.text);
  }

  async open(): Promise<HubRevision> {
    const { revision } = this.reference;
    const opened = await openRevision(this.#client, this.reference);
    this.#commit = opened.commit;
    if (revision !== opened.commit) await this.#writing(() => this.cache.note(revision, opened.commit));
    return opened;
  }

  /** Fetches files, and returns their paths. Progress is told where anything is missing. */
  async fetch(files: readonly HubFile[], tells = true): Promise<string[]> {
    const missing = await this.#missing(files);
    await this.#requireRoom(missing);
    const total = files.reduce((sum, { size }) => sum + size, 0);
    let done = 0;
    const onBytes = (count: number) => {
      done += count;
      if (tells && missing > 0) this.onProgress?.({ done, total });
    };
    const paths: string[] = [];
    for (const file of files)
      paths.push(
        await this.#writing(async () => {
          await download(this.#client, this.cache, { file, ...this.#source(file) }, onBytes);
          return this.cache.place(this.#commit, file);
        }),
      );
    return paths;
  }

  #source({ path }: HubFile) {
    const { settings, reference } = this;
    const escaped = path.split("/").map(encodeURIComponent).join("/");
    const url = `${settings.endpoint}/${reference.repository}/resolve/${this.#commit}/${escaped}`;
    return { url, commit: this.#commit };
  }

  /** Bytes that are yet to come. */
  async #missing(files: readonly HubFile[]): Promise<number> {
    let missing = 0;
    for (const file of files)
      if (!(await this.cache.has(file))) missing += Math.max(0, file.size - (await this.cache.partial(file)));
    return missing;
  }

  async #requireRoom(bytes: number): Promise<void> {
    const free = await freeBytes(this.settings.cache);
    if (bytes > free)
      throw new ImportError(
        this.reference.text,
        `expected ${mebibytes(bytes)} of free space in ${this.settings.cache}, got ${mebibytes(free)}; HF_HOME chooses another place`,
      );
  }

  /** Turns the system's error about the cache into one that names it. */
  async #writing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException;
      if (error instanceof ImportError || code === undefined || syscall === undefined) throw error;
      throw new ImportError(
        this.settings.cache,
        `expected a folder to keep downloads in, got ${code}${code === "ENOSPC" ? " (no space left)" : ""}; HF_HOME chooses another place`,
      );
    }
  }
}

const mebibytes = (count: number) => `${(count / 2 ** 20).toFixed(1)} MiB`;

/** Free bytes of the disk that a folder is on, or will be on. */
async function freeBytes(folder: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  } catch (error) {
    const parent = dirname(folder);
    const { code } = error as NodeJS.ErrnoException;
    return code === "ENOENT" && parent !== folder ? freeBytes(parent) : Number.POSITIVE_INFINITY;
  }
}
