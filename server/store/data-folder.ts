import { existsSync, lstatSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../log.js";
import { type Config, packageRoot } from "../settings/config.js";
import { makeFolder, reasonOf } from "./folder.js";
import { stateFolder } from "./state-folder.js";
import { StoreError } from "./store.js";
import { holdsStore, leftBehind, takeAlong } from "./take-along.js";

export interface DataFolder {
  path: string;
  /** If true, no later start finds this folder by itself. */
  temporary: boolean;
}

/**
 * Opens the data folder: the one in `JAI_DATA_DIR`, or by default one per port in the user's state folder, to which
 * jobs of version 0.1.0 are moved. If that can't be made, it is one in the temporary folder. A server on port 0 gets a
 * new one there at each start. The log says which.
 * @throws StoreError if no folder can be made, or another server is moving jobs to it
 */
export async function openDataFolder(
  { dataDir, port }: Pick<Config, "dataDir" | "port">,
  log: Log,
  oldFolder = join(packageRoot, "data"),
): Promise<DataFolder> {
  const use = (path: string): DataFolder => {
    log.info(`jobs are kept in ${path}`);
    return { path, temporary: false };
  };
  if (dataDir !== "auto") return use(dataDir);
  const stay = (why: string) => {
    if (holdsStore(join(oldFolder, "jobs"))) log.warn(leftBehind(oldFolder, why));
  };
  if (port === 0) {
    const path = makeTemporary(() => mkdtempSync(join(tmpdir(), "jai-server-")));
    log.info(
      `port 0: jobs are kept in ${path}, which no later start looks into; JAI_DATA_DIR names one that lasts`,
    );
    stay("port 0 has no folder that lasts");
    return { path, temporary: true };
  }
  const state = await stateFolder();
  let reason = "this user has no home folder";
  if (state !== null) {
    const path = join(state, String(port));
    let made = true;
    try {
      makeFolder(path);
    } catch (error) {
      // If the folder exists but can't be used, the start must fail later: it may hold accepted jobs.
      made = existsSync(path);
      reason = `${path}: ${reasonOf(error as Error)}`;
    }
    if (made) {
      await takeAlong(oldFolder, path, log);
      return use(path);
    }
  }
  const path = makeTemporary(() => ownFolder(port), reason);
  log.warn(
    `jobs are kept in ${path}, which a restart of the machine may empty (${reason}); JAI_DATA_DIR names a folder that lasts`,
  );
  stay("there is no folder that lasts to move them to");
  return { path, temporary: false };
}

/** This user's folder in the temporary folder, the same at every start. @throws if others own it or can access it */
function ownFolder(port: number): string {
  const uid = process.getuid?.();
  const own = join(tmpdir(), `jai-server-${uid ?? "user"}`);
  makeFolder(own);
  const stats = lstatSync(own);
  // Anybody can write to the temporary folder: refuse what others made or linked.
  if (!stats.isDirectory() || (uid !== undefined && (stats.uid !== uid || (stats.mode & 0o077) !== 0)))
    throw new Error(`${own} belongs to other users or is open to them`);
  const path = join(own, String(port));
  makeFolder(path);
  return path;
}

/** @throws StoreError */
function makeTemporary(make: () => string, otherwise = ""): string {
  try {
    return make();
  } catch (error) {
    const reasons = [otherwise, `${tmpdir()}: ${reasonOf(error as Error)}`].filter((reason) => reason !== "");
    throw new StoreError(
      `there is no folder to keep jobs in (${reasons.join("; ")}); JAI_DATA_DIR names one`,
    );
  }
}
