import { ImportError } from "../checkpoint/error.js";
import type { HubClient } from "./client.js";
import { type HubReference, isPlainPath } from "./reference.js";

/** A file of a repository, as its listing describes it. */
export interface HubFile {
  /** From the repository's root. */
  path: string;
  size: number;
  /** What its bytes hash to: those of large files by SHA-256, those in git as a git blob by SHA-1. Also its name in the cache. */
  hash: { kind: "sha256" | "git"; hex: string };
}

/** One commit of a repository. */
export interface HubRevision {
  commit: string;
  /** The folder that was asked for, or that of the file. */
  folder: string;
  /** The files in it, without those of folders in it. */
  files: readonly HubFile[];
  /** The file that was asked for; null for a folder. */
  named: HubFile | null;
}

const COMMIT = /^[0-9a-f]{40}$/;
const MOST_FILES = 100_000;

/**
 * Finds the commit that a revision stands for now, and lists the folder in it. The commit is asked for once, so that all
 * files belong together even if somebody pushes meanwhile.
 * @throws ImportError
 */
export async function openRevision(client: HubClient, reference: HubReference): Promise<HubRevision> {
  const { repository, revision, path } = reference;
  const commit = COMMIT.test(revision) ? revision : await commitOf(client, repository, revision);
  if (path === "")
    return { commit, folder: "", files: await list(client, repository, commit, ""), named: null };
  const parent = path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
  const files = await list(client, repository, commit, parent);
  const named = files.find((file) => file.path === path);
  if (named !== undefined) return { commit, folder: parent, files, named };
  return { commit, folder: path, files: await list(client, repository, commit, path), named: null };
}

async function commitOf(client: HubClient, name: string, revision: string): Promise<string> {
  // Loaded here alone: a server never needs it.
  const { modelInfo } = await import("@huggingface/hub");
  const { endpoint: hubUrl } = client.settings;
  const { sha } = await answered(client, () =>
    modelInfo({ name, revision, hubUrl, fetch: client.fetchApi, additionalFields: ["sha"] }),
  );
  if (typeof sha === "string" && COMMIT.test(sha)) return sha;
  throw client.error("expected the commit of the model, got none");
}

async function list(client: HubClient, name: string, revision: string, path: string): Promise<HubFile[]> {
  const { listFiles } = await import("@huggingface/hub");
  const repo = { type: "model", name } as const;
  return answered(client, async () => {
    const files: HubFile[] = [];
    for await (const entry of listFiles({
      ...{ repo, revision, fetch: client.fetchApi, hubUrl: client.settings.endpoint },
      ...(path !== "" && { path: path.split("/").map(encodeURIComponent).join("/") }),
    })) {
      if (files.length >= MOST_FILES)
        throw client.error(`expected at most ${MOST_FILES} files in a folder, got more`);
      if (entry.type === "file") files.push(fileOf(client, entry));
    }
    return files;
  });
}

/** An entry as the hub sends it, which nothing has checked. */
interface Entry {
  path?: unknown;
  size?: unknown;
  oid?: unknown;
  lfs?: { oid?: unknown; size?: unknown } | null;
}

function fileOf(client: HubClient, { path, size, oid, lfs }: Entry): HubFile {
  if (typeof path !== "string" || !isPlainPath(path))
    throw client.error(`expected plain names of files, got ${JSON.stringify(path)?.slice(0, 200)}`);
  const hex = lfs?.oid ?? oid;
  const bytes = lfs?.size ?? size;
  if (typeof hex !== "string" || !(lfs ? /^[0-9a-f]{64}$/ : COMMIT).test(hex))
    throw client.error(`expected a checksum of ${path}, got ${JSON.stringify(hex)?.slice(0, 200)}`);
  if (!Number.isSafeInteger(bytes) || Number(bytes) < 0)
    throw client.error(`expected the size of ${path}, got ${JSON.stringify(bytes)?.slice(0, 200)}`);
  return { path, size: Number(bytes), hash: { kind: lfs ? "sha256" : "git", hex } };
}

/** The library expects the hub's JSON, and fails in many ways on anything else. */
async function answered<T>(client: HubClient, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ImportError) throw error;
    throw client.error(
      `expected the answers of a hub from ${client.host}, got something else; check HF_ENDPOINT`,
    );
  }
}
