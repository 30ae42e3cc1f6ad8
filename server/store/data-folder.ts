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
  /** No later start finds it by itself. */
  temporary: boolean;
}

/**
 * The folder that `JAI_DATA_DIR` names, or by default one for each port in the user's state folder, to which the jobs of
 * version 0.1.0 are moved. A user who can't have one gets one among the temporary files, and a server on any free port a
 * new one there; the log says so.
 * @throws StoreError if there is no place at all, or another server is moving jobs to it
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
      // One that is there and can't be used is an error: it may hold what was promised.
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

/** A folder of this user among the temporary files, the same at every start. @throws if somebody else made it */
function ownFolder(port: number): string {
  const uid = process.getuid?.();
  const own = join(tmpdir(), `jai-server-${uid ?? "user"}`);
  makeFolder(own);
  const stats = lstatSync(own);
  // Others may write there: what they have made, or linked, is not ours.
  if (!stats.isDirectory() || (uid !== undefined && (stats.uid !== uid || (stats.mode & 0o077) !== 0)))
    throw new Error(`${own} is not this user's alone`);
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
