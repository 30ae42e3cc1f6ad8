// Computes coverage of the compiled sources by all processes and threads of a test run, from V8's files
// (NODE_V8_COVERAGE). Lines are lines of the TypeScript sources with code, found by the source maps.
import { readdirSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { mergeProcessCovs } from "@bcoe/v8-coverage";

const ROOMS = ["server", "workers", "models"];
const KINDS = ["lines", "branches", "functions"];
/** How many files are parsed before they are merged; each has a few megabytes. */
const BATCH = 16;

/** A table of the share of each room's lines, branches and functions that ran. */
export function coverageTable(coverageFolder, dist) {
  const scripts = new Map(
    merged(coverageFolder, `${pathToFileURL(dist)}/`).map((script) => [script.url, script]),
  );
  const rooms = new Map();
  for (const path of sources(dist)) {
    const name = relative(dist, path).replaceAll("\\", "/");
    const figures = fileCoverage(path, scripts.get(pathToFileURL(path).href));
    for (const room of ["total", name.split("/").slice(0, -1).slice(0, 2).join("/")]) {
      const sums = rooms.get(room) ?? KINDS.map(() => [0, 0]);
      rooms.set(room, sums);
      for (const [kind, [covered, all]] of figures.entries()) {
        sums[kind][0] += covered;
        sums[kind][1] += all;
      }
    }
  }
  const row = (cells) =>
    `${cells[0].padEnd(22)}${cells
      .slice(1)
      .map((cell) => cell.padStart(11))
      .join("")}\n`;
  const share = ([covered, all]) => (all === 0 ? "-" : `${((100 * covered) / all).toFixed(1)} %`);
  // The functions and branches of files that no test loads are missing: only V8 counts them.
  const [total, ...others] = [...rooms];
  return [
    ["coverage", ...KINDS],
    ...[...others.sort(), total].map(([name, sums]) => [name, ...sums.map(share)]),
  ]
    .map(row)
    .join("");
}

/** Paths of the compiled files, without tests and their helpers. */
function sources(dist) {
  return ROOMS.flatMap((room) =>
    readdirSync(join(dist, room), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".js") && !/fixtures?[./\\]|\.test\.js$|^clients/.test(name))
      .map((name) => join(dist, room, name)),
  ).sort();
}

function merged(folder, prefix) {
  let all = { result: [] };
  const names = readdirSync(folder);
  for (let at = 0; at < names.length; at += BATCH) {
    const processes = names.slice(at, at + BATCH).flatMap((name) => {
      const { result } = read(join(folder, name)) ?? { result: [] };
      return [{ result: result.filter(({ url }) => url.startsWith(prefix)) }];
    });
    all = mergeProcessCovs([all, ...processes]);
  }
  return all.result;
}

/** Reads a file of V8's; null for an incomplete one, which a killed process leaves. */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return null;
  }
}

/** Covered and total lines, branches and functions of a file. A file that no test loaded has only uncovered lines. */
function fileCoverage(path, script) {
  const code = readFileSync(path, "utf8");
  const { mappings } = JSON.parse(readFileSync(`${path}.map`, "utf8"));
  const map = new SourceMap({ version: 3, sources: ["source"], names: [], mappings });
  const functions = script?.functions ?? [];
  // V8 lists outer ranges before inner ones, so later ranges override earlier ones.
  const uncovered = new Uint8Array(code.length).fill(script ? 0 : 1);
  for (const { ranges } of functions)
    for (const { startOffset, endOffset, count } of ranges)
      uncovered.fill(count === 0 ? 1 : 0, startOffset, endOffset);

  const lines = new Map();
  let start = 0;
  for (const [number, line] of code.split("\n").entries()) {
    const column = line.search(/\S/);
    const entry = column < 0 ? {} : map.findEntry(number, column);
    if (entry.generatedLine === number && entry.originalLine !== undefined) {
      const isCovered = !uncovered[start + column];
      lines.set(entry.originalLine, (lines.get(entry.originalLine) ?? false) || isCovered);
    }
    start += line.length + 1;
  }
  // A function's first range is the function itself. V8 also lists the module as a function, which spans the whole
  // file.
  const named = functions.filter(({ ranges }) => ranges[0].endOffset - ranges[0].startOffset < code.length);
  const branches = functions.flatMap(({ ranges }) => ranges.slice(1));
  const tally = (counts) => [counts.filter((count) => count > 0).length, counts.length];
  return [
    tally([...lines.values()].map(Number)),
    tally(branches.map(({ count }) => count)),
    tally(named.map(({ ranges }) => ranges[0].count)),
  ];
}
