import { join } from "node:path";
import { readArgs, UsageError } from "../settings/args.js";
import { readConfig } from "../settings/config.js";
import { fileIn, type Inspection, inspect, repair, textsOf } from "../store/inspect.js";
import { lostInWords } from "../store/salvage.js";
import { stateFolder } from "../store/state-folder.js";
import { StoreError } from "../store/store-error.js";
import { type Flags, usageOf } from "./command.js";
import { endWithReader, say } from "./terminal/output.js";

export const flags = {
  "data-dir": {
    type: "string",
    value: "DIR",
    description: "the data folder (JAI_DATA_DIR; default: the one of the port)",
  },
  port: {
    type: "string",
    value: "N",
    description: "the port whose folder is meant (JAI_PORT; default 8000)",
  },
  file: {
    type: "string",
    value: "FILE",
    description: "for export: a file instead, such as one that was moved aside",
  },
} as const satisfies Flags;

export const argument = "check|repair|export";

export const usage = usageOf("data check|repair|export [FLAGS]", flags, {
  rows: [
    ["check", "read all that a stopped server has kept; status 1 if anything is damaged"],
    ["repair", "move a damaged file aside, and make a new one of what can be read in it"],
    ["export", "print every readable record, one JSON object a line: {key, value}"],
  ],
});

/** @throws StoreError if the data can't be read, or are damaged */
export async function run(args: string[]): Promise<void> {
  const { values, positionals } = readArgs({ args, options: flags, strict: true, allowPositionals: true });
  const [what, ...more] = positionals;
  if (more.length > 0 || !["check", "repair", "export"].includes(what ?? ""))
    throw new UsageError(`expected check, repair or export, got ${positionals.join(" ") || "nothing"}`);
  if (what === "export" && values.file !== undefined) return write(values.file);
  const folder = await folderOf(values);
  if (what === "export") write(fileIn(folder));
  else if (what === "repair") await mend(folder);
  else await check(folder);
}

async function folderOf({ "data-dir": dir, port }: { "data-dir"?: string; port?: string }): Promise<string> {
  const given = [
    ...(dir === undefined ? [] : ["--data-dir", dir]),
    ...(port === undefined ? [] : ["--port", port]),
  ];
  const config = readConfig(given, process.env);
  if (config.dataDir !== "auto") return config.dataDir;
  const state = await stateFolder();
  if (state === null) throw new StoreError("this user has no home folder; --data-dir names the data folder");
  return join(state, String(config.port));
}

async function check(folder: string): Promise<void> {
  const { file, counts, damage, lost, unnamed, aside } = await inspect(folder);
  say(`${file}: ${inWords(counts)}`);
  for (const { path, bytes } of aside)
    say(`moved aside before: ${path} (${bytes} bytes); jai data export --file reads it`);
  if (damage === null) return void say("no damage was found: every record is what was written");
  say(`the file is damaged: ${damage}`);
  say(`of its records ${lostInWords(lost, unnamed)}`);
  for (const key of lost) say(`  lost: ${key}`);
  throw new StoreError(
    "jai data repair keeps this file under another name and makes a new one of all that can be read; so does the next start",
  );
}

async function mend(folder: string): Promise<void> {
  const salvage = await repair(folder);
  if (salvage === null) return void say("no damage was found: nothing was changed");
  const { reason, saved, lost, unnamed, aside, removed } = salvage;
  say(`the file was damaged (${reason}): ${saved} records are kept, ${lostInWords(lost, unnamed)}`);
  for (const key of lost) say(`  lost: ${key}`);
  say(`the damaged file is now ${aside}`);
  for (const { path } of removed)
    say(`removed ${path}: of the files that were moved aside the newest two are kept`);
}

function write(file: string): void {
  endWithReader();
  for (const [key, text] of textsOf(file)) say(`{"key":${JSON.stringify(key)},"value":${text}}`);
}

/** `3 jobs, 2 bodies, 1 result` */
function inWords(counts: Inspection["counts"]): string {
  const parts = Object.entries(names).flatMap(([kind, [one, many]]) => {
    const count = counts.get(kind) ?? 0;
    return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
  });
  return parts.length === 0 ? "no records" : parts.join(", ");
}

const names: Readonly<Record<string, readonly [one: string, many: string]>> = {
  job: ["job", "jobs"],
  body: ["body of a job", "bodies of jobs"],
  result: ["result", "results"],
  key: ["Idempotency-Key", "Idempotency-Keys"],
  answer: ["stored response", "stored responses"],
  usage: ["usage of a caller", "usages of callers"],
};
