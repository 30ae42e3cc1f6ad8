// Coverage of the compiled sources by all processes and threads of a test run, from what V8 wrote (NODE_V8_COVERAGE).
// Lines are those of the TypeScript sources that hold code, by the source maps.
import { readdirSync, readFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { mergeProcessCovs } from "@bcoe/v8-coverage";

const ROOMS = ["server", "workers", "models"];
const KINDS = ["lines", "branches", "functions"];
/** Files that are parsed before they are merged: a few megabytes each. */
const BATCH = 16;

/** A table of what share of each room's lines, branches and functions has run. */
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
  // Files that no test loads have functions and branches too, but only V8 counts those.
  const [total, ...others] = [...rooms];
  return [
    ["coverage", ...KINDS],
    ...[...others.sort(), total].map(([name, sums]) => [name, ...sums.map(share)]),
  ]
    .map(row)
    .join("");
}

/** Paths of what is compiled, without tests and what only they use. */
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

/** A process that is killed while it writes leaves half a file. */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return null;
  }
}

/** Covered and all lines, branches and functions of a file; one that no test has loaded has but uncovered lines. */
function fileCoverage(path, script) {
  const code = readFileSync(path, "utf8");
  const { mappings } = JSON.parse(readFileSync(`${path}.map`, "utf8"));
  const map = new SourceMap({ version: 3, sources: ["source"], names: [], mappings });
  const functions = script?.functions ?? [];
  // V8 lists outer ranges before the ranges in them, and what says something last holds.
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
  // The first range of a function is the function; the module itself is one without a name, from its first character.
  const named = functions.filter(({ ranges }) => ranges[0].endOffset - ranges[0].startOffset < code.length);
  const branches = functions.flatMap(({ ranges }) => ranges.slice(1));
  const tally = (counts) => [counts.filter((count) => count > 0).length, counts.length];
  return [
    tally([...lines.values()].map(Number)),
    tally(branches.map(({ count }) => count)),
    tally(named.map(({ ranges }) => ranges[0].count)),
  ];
}
