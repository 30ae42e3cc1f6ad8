import { existsSync, readdirSync, realpathSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { readModelFolder } from "../../models/folder.js";
import { readGraphWeights } from "../../models/graph-weights.js";
import { readArgs } from "../settings/args.js";
import { packageRoot, readConfig } from "../settings/config.js";
import { type Flags, jsonFlag, usageOf } from "./command.js";
import { endWithReader, say, sayJson } from "./terminal/output.js";
import { stylesOf } from "./terminal/styles.js";
import { bytes, thousands } from "./terminal/units.js";
import { visibleLine } from "./terminal/visible.js";
import { table } from "./terminal/width.js";

export const flags = jsonFlag satisfies Flags;

export const usage = usageOf("list [FLAGS]", flags, {
  notes: [
    "Lists the model folders in models/ of the package and of the current folder, and those beside JAI_MODEL.",
  ],
});

/** A folder that looks like a model. */
interface Found {
  path: string;
  /** Whether `jai serve` would take it without --model. */
  default: boolean;
  name: string | null;
  precision: string | null;
  context: number | null;
  bytes: number | null;
  /** Why `jai serve` would not take it; null for a whole model. */
  broken: string | null;
}

export async function run(args: string[]): Promise<void> {
  const { values } = readArgs({ args, options: flags });
  endWithReader();
  const usual = readConfig([], process.env).model;
  const found = candidates(usual).map((path) => look(path, usual));
  if (values.json) return sayJson({ models: found });
  if (found.length === 0) return say("no models here; jai import makes one of a checkpoint");
  const whole = found.filter(({ broken }) => broken === null);
  const rows = whole.map((one) => [
    `${visibleLine(one.name!)}${one.default ? " *" : ""}`,
    bytes(one.bytes!),
    one.precision!,
    thousands(one.context!),
    shown(one.path),
  ]);
  const styles = stylesOf(process.stdout);
  const [head, ...lines] = table([["NAME", "SIZE", "PRECISION", "CONTEXT", "PATH"], ...rows], [1, 3]);
  if (whole.length > 0) for (const line of [styles.bold(head!), ...lines]) say(line);
  for (const { path, broken } of found)
    if (broken !== null) say(styles.red(`broken: ${shown(path)}: ${visibleLine(broken)}`));
  if (whole.some((one) => one.default)) say(styles.dim("* what jai serve takes by default"));
}

/** Folders with a file that only models have, each once, in the order of the places. */
function candidates(usual: string): string[] {
  const places = [join(packageRoot, "models"), resolve("models"), dirname(usual)];
  const folders = places.flatMap((place) => subfolders(place)).filter(looksLikeModel);
  const all = existsSync(usual) ? [...folders, usual] : folders;
  return [...new Set(all.map((folder) => realpathSync(folder)))];
}

function subfolders(place: string): string[] {
  try {
    return readdirSync(place)
      .toSorted()
      .map((name) => join(place, name));
  } catch {
    return [];
  }
}

const looksLikeModel = (folder: string) =>
  ["onnx", "config.json", "tokenizer_config.json"].some((name) => existsSync(join(folder, name)));

function look(path: string, usual: string): Found {
  const isDefault = existsSync(usual) && realpathSync(usual) === path;
  try {
    const { config, modelBytes, graphPath } = readModelFolder(path);
    // A copy that was cut off has all files. This reads the weights' names alone.
    readGraphWeights(graphPath);
    const { name, precision, n_positions: context } = config;
    return { path, default: isDefault, name, precision, context, bytes: modelBytes, broken: null };
  } catch (error) {
    const broken = (error as Error).message;
    return { path, default: isDefault, name: null, precision: null, context: null, bytes: null, broken };
  }
}

/** A path below the current folder is shown from there. */
function shown(path: string): string {
  const below = relative(process.cwd(), path);
  return visibleLine(below !== "" && !below.startsWith("..") ? below : path);
}
