import { positiveInteger, readArgs, UsageError, unexpected } from "../../server/settings/args.js";
import { settings } from "../../server/settings/config.js";
import type { Checkpoint, LlamaServer } from "./load/system.js";

const PARTS = ["engine", "closed", "conditions", "open"] as const;

export type BenchOptions = ReturnType<typeof readOptions>;

export const usage = `Usage: jai bench [FLAGS]

  --model DIR                  the model folder; default: the one that jai serve takes
  --checkpoint F --tokenizer F the model, as jai import takes it, and one like it with 24,000 tokens
  --peers                      measure other servers too; installs them; needs a checkpoint
  --llama-server [NAME=]PATH   a llama.cpp server to measure, or a fork of it; may be repeated
  --only PART,…                engine, closed (loop), conditions (beside other work; asked before), open (loop);
                               default: all
  --quick, --full              a small grid (the default for a folder) or all of it (for a checkpoint)
  --clients N,N,…              how many ask at once; default 1,8,32 or 1,4,8,16,32,64,128
  --tokens N                   tokens of every answer; default 150
  --repeats N                  measurements, of which the median counts; default 2 or 3
  --seconds N                  least length of a measurement; default 1.5 or 3
  --out DIR                    where to put results.json, results.svg and RESULTS.md`;

export const flags = {
  model: { type: "string", value: "DIR" },
  checkpoint: { type: "string", value: "FILE" },
  tokenizer: { type: "string", value: "FILE" },
  peers: { type: "boolean", default: false },
  "llama-server": { type: "string", multiple: true, default: [] as string[], value: "FILE" },
  only: { type: "string", default: PARTS.join(","), value: PARTS.join("|") },
  quick: { type: "boolean", default: false },
  full: { type: "boolean", default: false },
  clients: { type: "string", value: "N,N,…" },
  tokens: { type: "string", default: "150", value: "N" },
  repeats: { type: "string", value: "N" },
  seconds: { type: "string", value: "N" },
  out: { type: "string", value: "DIR" },
} as const;

/** @throws UsageError with a one-line message */
export function readOptions(args: string[]) {
  const given = readArgs({ args, options: flags }).values;
  const { model, checkpoint, tokenizer, peers, quick, full } = given;
  if ((checkpoint === undefined) !== (tokenizer === undefined))
    throw new UsageError("expected --checkpoint and --tokenizer together, got one of them");
  if (checkpoint !== undefined && model !== undefined)
    throw new UsageError("expected --model or --checkpoint, got both");
  if (quick && full) throw new UsageError("expected --quick or --full, got both");
  const llamaServers = given["llama-server"].map(llamaServer);
  if ((peers || llamaServers.length > 0) && checkpoint === undefined)
    throw new UsageError(
      "expected --checkpoint and --tokenizer: peers run the weights themselves, not a model folder",
    );
  const parts = new Set(given.only.split(",").map(part));
  if (parts.has("open") && !parts.has("closed"))
    throw new UsageError("--only: expected closed together with open, whose rates are shares of its result");
  const source: Checkpoint | { folder: string } =
    checkpoint === undefined || tokenizer === undefined
      ? { folder: model ?? settings.model.default }
      : { checkpoint, tokenizer };
  return {
    source,
    peers,
    llamaServers,
    quick: quick || (!full && checkpoint === undefined),
    parts,
    out: given.out,
    tokens: positiveInteger("tokens", given.tokens),
    // Without these flags the grid's values are used.
    clients: given.clients?.split(",").map((text) => positiveInteger("clients", text)),
    repeats: given.repeats === undefined ? undefined : positiveInteger("repeats", given.repeats),
    seconds: given.seconds === undefined ? undefined : seconds(given.seconds),
  };
}

function llamaServer(text: string): LlamaServer {
  const [, name = "llama-server", path] = /^(?:([^=/]+)=)?(.+)$/.exec(text) ?? [];
  if (path === undefined) throw unexpected("llama-server", "[NAME=]PATH", text);
  return { name, path };
}

function part(text: string) {
  const known = PARTS.find((one) => one === text);
  if (known === undefined) throw unexpected("only", PARTS.join(", "), text);
  return known;
}

function seconds(text: string): number {
  const value = /^\d{1,4}(\.\d+)?$/.test(text) ? Number(text) : 0;
  if (value === 0) throw unexpected("seconds", "a positive number", text);
  return value;
}
