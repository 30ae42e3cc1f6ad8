import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";

/** Writes a store as version 0.1.0 did: a LevelDB. */
export async function writeOldStore(folder: string, texts: Readonly<Record<string, string>>): Promise<void> {
  mkdirSync(join(folder, "jobs"), { recursive: true });
  const level = new ClassicLevel(join(folder, "jobs"));
  await level.put("format", "jai-server jobs 1");
  for (const [key, text] of Object.entries(texts)) await level.put(key, text);
  await level.close();
}
