import { chownSync } from "node:fs";

/** The traditional id of the user `nobody`. It need not have a passwd entry. */
const NOBODY = 65_534;

/**
 * Runs `work` as a user who is bound by permissions. Root may write anywhere, so as root it gives `folders` to nobody
 * and becomes nobody meanwhile, in all threads of the process.
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
