import { parseArgs } from "node:util";
import { settings, UsageError } from "../../server/settings/config.js";

export const PARTS = ["engine", "closed", "open"] as const;
export type Part = (typeof PARTS)[number];

export interface NamedPath {
  name: string;
  path: string;
}

export interface BenchOptions {
  /** A model folder, or what `jai import` makes one of. */
  source: { folder: string } | { checkpoint: string; tokenizer: string };
  peers: boolean;
  llamaServers: NamedPath[];
  quick: boolean;
  parts: ReadonlySet<Part>;
  out: string | null;
  /** Null: what the grid has. */
  clients: number[] | null;
  tokens: number;
  repeats: number | null;
  seconds: number | null;
}

export const usage = [
  "Usage: jai bench [FLAGS]",
  "",
  "  --model DIR                  the model folder; default: the one that jai serve takes",
  "  --checkpoint F --tokenizer F the model, as jai import takes it, and one like it with 24,000 tokens",
  "  --peers                      measure other servers too; installs them; needs a checkpoint",
  "  --llama-server [NAME=]PATH   a llama.cpp server to measure, or a fork of it; may be repeated",
  "  --only PART,…                engine, closed (loop), open (loop); default: all",
  "  --quick, --full              a small grid (the default for a folder) or all of it (for a checkpoint)",
  "  --clients N,N,…              how many ask at once; default 1,8,32 or 1,4,8,16,32,64,128",
  "  --tokens N                   tokens of every answer; default 150",
  "  --repeats N                  measurements, of which the median counts; default 2 or 3",
  "  --seconds N                  least length of a measurement; default 1.5 or 4",
  "  --out DIR                    where to put results.json, results.svg and RESULTS.md",
].join("\n");

/** @throws UsageError with one line that says what was expected */
export function readOptions(args: string[]): BenchOptions {
  const given = parse(args);
  const { model, checkpoint, tokenizer, peers = false, quick = false, full = false } = given;
  if ((checkpoint === undefined) !== (tokenizer === undefined))
    throw new UsageError("expected --checkpoint and --tokenizer together, got one of them");
  if (checkpoint !== undefined && model !== undefined)
    throw new UsageError("expected --model or --checkpoint, got both");
  if (quick && full) throw new UsageError("expected --quick or --full, got both");
  const llamaServers = (given["llama-server"] ?? []).map(namedPath);
  if ((peers || llamaServers.length > 0) && checkpoint === undefined)
    throw new UsageError(
      "expected --checkpoint and --tokenizer: peers run the weights themselves, not a model folder",
    );
  const parts = new Set(given.only === undefined ? PARTS : given.only.split(",").map(part));
  if (parts.has("open") && !parts.has("closed"))
    throw new UsageError("--only: expected closed with open, whose rates are shares of what it finds");
  return {
    source:
      checkpoint === undefined || tokenizer === undefined
        ? { folder: model ?? settings.model.default }
        : { checkpoint, tokenizer },
    peers,
    llamaServers,
    quick: quick || (!full && checkpoint === undefined),
    parts,
    out: given.out ?? null,
    clients:
      given.clients === undefined ? null : given.clients.split(",").map((text) => integer("clients", text)),
    tokens: integer("tokens", given.tokens ?? "150"),
    repeats: given.repeats === undefined ? null : integer("repeats", given.repeats),
    seconds: given.seconds === undefined ? null : positive("seconds", given.seconds),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        model: { type: "string" },
        checkpoint: { type: "string" },
        tokenizer: { type: "string" },
        peers: { type: "boolean" },
        "llama-server": { type: "string", multiple: true },
        only: { type: "string" },
        quick: { type: "boolean" },
        full: { type: "boolean" },
        clients: { type: "string" },
        tokens: { type: "string" },
        repeats: { type: "string" },
        seconds: { type: "string" },
        out: { type: "string" },
      },
    }).values;
  } catch (error) {
    // Node adds advice on further lines and sentences.
    throw new UsageError((error as Error).message.split(/\n|\. /, 1)[0]);
  }
}

function namedPath(text: string): NamedPath {
  const [, name = "llama-server", path] = /^(?:([^=/]+)=)?(.+)$/.exec(text) ?? [];
  if (path === undefined)
    throw new UsageError(`--llama-server: expected [NAME=]PATH, got ${JSON.stringify(text)}`);
  return { name, path };
}

function part(text: string): Part {
  const known = PARTS.find((one) => one === text);
  if (known === undefined)
    throw new UsageError(`--only: expected ${PARTS.join(", ")}, got ${JSON.stringify(text)}`);
  return known;
}

function integer(flag: string, text: string): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (value === 0) throw new UsageError(`--${flag}: expected positive integers, got ${JSON.stringify(text)}`);
  return value;
}

function positive(flag: string, text: string): number {
  const value = /^\d{1,4}(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (value === 0) throw new UsageError(`--${flag}: expected a positive number, got ${JSON.stringify(text)}`);
  return value;
}
