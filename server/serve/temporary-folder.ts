import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const all = new Set<TemporaryFolder>();

function removeAll(): void {
  for (const folder of all) folder.remove();
}

/** A folder that is gone when the process exits, unless a signal kills it. */
export class TemporaryFolder {
  readonly path: string;

  /** @param name the beginning of its name. @throws if the system's temporary folder takes none */
  constructor(name: string) {
    this.path = mkdtempSync(join(tmpdir(), name));
    // One listener for all: Node warns of many.
    if (all.size === 0) process.on("exit", removeAll);
    all.add(this);
  }

  /** What can't be removed, as files in use on Windows, is left to the system. */
  remove(): void {
    all.delete(this);
    if (all.size === 0) process.off("exit", removeAll);
    try {
      rmSync(this.path, { recursive: true, force: true });
    } catch {
      // As above.
    }
  }
}
