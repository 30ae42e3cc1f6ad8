import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { copyFile, link, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { HubFile } from "./repository.js";

/** Parts that this process is writing. */
const inUse = new Set<string>();

/**
 * A repository's folder in the cache, as Hugging Face's libraries lay it out: `blobs/` has each file's bytes under their
 * hash, `snapshots/COMMIT/` links to them under the files' names, `refs/` has the commits of branches.
 *
 * What is on its way lies in `blobs/HASH.PID-….part`. A process takes over the part of one that has died, by renaming it,
 * so that two imports never write into the same one.
 */
export class HubCache {
  readonly #folder: string;

  constructor(cache: string, repository: string) {
    this.#folder = join(cache, ["models", ...repository.split("/")].join("--"));
  }

  snapshot(commit: string, path: string): string {
    return join(this.#folder, "snapshots", commit, ...path.split("/").filter((name) => name !== ""));
  }

  async has({ hash, size }: HubFile): Promise<boolean> {
    const found = await stat(this.#blob(hash.hex)).catch(() => null);
    return found?.isFile() === true && found.size === size;
  }

  /** Bytes of this file that earlier downloads have left in parts. */
  async partial({ hash }: HubFile): Promise<number> {
    const sizes = this.#free(hash.hex).map(
      async (name) => (await stat(join(this.#blobs, name)).catch(() => null))?.size ?? 0,
    );
    return Math.max(0, ...(await Promise.all(sizes)));
  }

  /** The path of a part that is this import's alone: one that a dead process has left, or a new one. */
  async claim({ hash }: HubFile): Promise<string> {
    makeFolder(this.#blobs);
    const own = join(this.#blobs, `${hash.hex}.${process.pid}-${randomUUID().slice(0, 8)}.part`);
    inUse.add(own);
    for (const name of this.#free(hash.hex)) {
      try {
        renameSync(join(this.#blobs, name), own);
        return own;
      } catch {
        // Another import was faster.
      }
    }
    writeFileSync(own, "");
    return own;
  }

  /** Lets another import of this process go on with the part. */
  release(part: string): void {
    inUse.delete(part);
  }

  /** A part that is whole becomes the file's bytes. */
  async keep(part: string, { hash }: HubFile): Promise<void> {
    await rename(part, this.#blob(hash.hex));
    this.release(part);
  }

  /** Gives the file's bytes their name in a commit, and returns the path. */
  async place(commit: string, { path, size, hash }: HubFile): Promise<string> {
    const place = this.snapshot(commit, path);
    // Another import may be reading it.
    if ((await stat(place).catch(() => null))?.size === size) return place;
    const blob = this.#blob(hash.hex);
    makeFolder(dirname(place));
    await rm(place, { force: true });
    try {
      await symlink(relative(dirname(place), blob), place);
    } catch {
      // On Windows not everybody may make links, and some file systems have none.
      await link(blob, place).catch(() => copyFile(blob, place));
    }
    return place;
  }

  async note(revision: string, commit: string): Promise<void> {
    const file = this.#ref(revision);
    makeFolder(dirname(file));
    await writeFile(file, commit);
  }

  /** The commit that a revision stood for when it was last asked for; null if it never was. */
  async noted(revision: string): Promise<string | null> {
    const text = (await readFile(this.#ref(revision), "utf8").catch(() => "")).trim();
    return /^[0-9a-f]{40}$/.test(text) ? text : null;
  }

  get #blobs(): string {
    return join(this.#folder, "blobs");
  }

  #blob(hex: string): string {
    return join(this.#blobs, hex);
  }

  #ref(revision: string): string {
    return join(this.#folder, "refs", ...revision.split("/"));
  }

  /** Names of the file's parts that nobody is writing. */
  #free(hex: string): string[] {
    let names: string[] = [];
    try {
      names = readdirSync(this.#blobs);
    } catch {
      // There is no such folder yet.
    }
    return names.filter((name) => {
      const [, of, pid] = /^([0-9a-f]+)\.(\d+)-[0-9a-f]+\.part$/.exec(name) ?? [];
      return of === hex && !inUse.has(join(this.#blobs, name)) && !isOther(Number(pid));
    });
  }
}

/** Whether another process of that number is alive. */
function isOther(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Makes a folder and its missing parents. (Node's `recursive` never ends where nothing can be made, as in /proc.) */
function makeFolder(path: string): void {
  const parent = dirname(path);
  if (!existsSync(parent) && parent !== path) makeFolder(parent);
  try {
    mkdirSync(path);
  } catch (error) {
    // Another import may have made it meanwhile.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !statSync(path).isDirectory()) throw error;
  }
}
