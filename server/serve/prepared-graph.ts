import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { statfs } from "node:fs/promises";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { ModelFolder } from "../../models/folder.js";
import { packageRoot } from "../settings/config.js";

const entry = fileURLToPath(new URL("../../workers/prepare.js", import.meta.url));
const run = promisify(execFile);

/** Weights that take less are in every worker's own cache of the CPU anyway. */
const LEAST_BYTES = 4 * 2 ** 20;
/** The copy holds most weights twice. It must not fill a disk that jobs are kept on. */
const MOST_COPIES = 3;
const SPARE_BYTES = 2 ** 30;
/** Names of copies, whole and unfinished. A user may keep weights of their own in a folder of that name. */
const OURS = /^[0-9a-f]{16}(\.unfinished.*)?$/;

export interface PreparedGraphOptions {
  model: Pick<ModelFolder, "graphPath" | "modelBytes">;
  /** Holds the copy. Older ones there are removed. Only one process uses it at a time. */
  folder: string;
  /** Stops the preparation. */
  signal: AbortSignal;
  /** Default: a few MiB. */
  leastBytes?: number;
}

/**
 * Resolves to the path of a copy of the model's graph whose weights lie as this machine's kernels read them. All sessions map that
 * file, so the weights are once in memory, and once in the CPU's caches, for all workers. On two cores with 24 MB of weights, two
 * workers together ran 1.45, 1.8 and 1.2 times as many steps at batch 1, 4 and 16, and a further session took 3 MB, not 27.
 *
 * A copy is used again until the model, the runtime or the CPU is another one. Another process makes it: the runtime can't be
 * interrupted, and takes several times the model's memory for it.
 * @returns null if the model is small
 * @throws an error with a one-line message if it can't be made
 */
export async function preparedGraph({
  model: { graphPath, modelBytes },
  folder,
  signal,
  leastBytes = LEAST_BYTES,
}: PreparedGraphOptions): Promise<string | null> {
  if (modelBytes < leastBytes) return null;
  const key = keyOf(graphPath);
  const made = join(folder, key);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(folder))
    if (name !== key && OURS.test(name)) rmSync(join(folder, name), { recursive: true, force: true });
  const graph = join(made, "model.onnx");
  if (existsSync(graph)) return graph;
  // Whose removal was cut off.
  rmSync(made, { recursive: true, force: true });
  const { bavail, bsize } = await statfs(folder);
  const needed = MOST_COPIES * modelBytes + SPARE_BYTES;
  if (bavail * bsize < needed)
    throw new Error(
      `expected ${Math.ceil(needed / 2 ** 20)} MiB of free disk at ${folder}, of which ${SPARE_BYTES / 2 ** 20} stay free, got ${Math.floor((bavail * bsize) / 2 ** 20)} MiB`,
    );
  // A name of its own: the process of a server that was killed may still write into an earlier one.
  const unfinished = mkdtempSync(`${made}.unfinished-`);
  try {
    // Options meant for this process could make that one wait for a debugger.
    const env = { ...process.env, NODE_OPTIONS: "" };
    const running = run(process.execPath, [entry, graphPath, unfinished], { signal, env });
    const end = () => running.child.kill();
    process.once("exit", end);
    await running.finally(() => process.off("exit", end));
    renameSync(unfinished, made);
    return graph;
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw new Error(reasonOf(error as Error & { stderr?: string }));
  }
}

/** The first line of the process that tells of an error; else what became of the process. */
function reasonOf({ message, stderr = "" }: Error & { stderr?: string }): string {
  const told = stderr.split("\n").filter((line) => /error/i.test(line));
  return (told[0] ?? message.split("\n")[0]!).trim();
}

/** Names all that a copy depends on. */
function keyOf(graphPath: string): string {
  const { version, dependencies } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8"));
  const files = [graphPath, `${graphPath}_data`].map((file) => {
    const stats = statSync(file, { throwIfNoEntry: false });
    return stats && [stats.size, stats.mtimeMs, stats.ino];
  });
  const versions = [version, dependencies["onnxruntime-node"]];
  const facts = [realpathSync(graphPath), files, versions, process.platform, process.arch, cpuKind()];
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 16);
}

/** Kernels are chosen by what the CPU can do; its name alone may hide that, as on virtual machines. */
function cpuKind(): string[] {
  const name = cpus()[0]?.model ?? "";
  try {
    return [name, /^(flags|Features)\s*:.*$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[0] ?? ""];
  } catch {
    return [name];
  }
}
