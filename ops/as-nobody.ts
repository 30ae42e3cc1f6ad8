import { chownSync } from "node:fs";

/** Traditional id of the user `nobody`; it need not be in the list of users. */
const NOBODY = 65_534;

/**
 * Does `work` as a user whom permissions stop, since root may write anywhere: as nobody, who is given `folders`, where the
 * process is root's. All of the process's threads change.
 */
export async function asNobody<T>(folders: readonly string[], work: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return work();
  for (const folder of folders) chownSync(folder, NOBODY, NOBODY);
  process.setegid!(NOBODY);
  process.seteuid!(NOBODY);
  try {
    return await work();
  } finally {
    process.seteuid!(0);
    process.setegid!(0);
  }
}
