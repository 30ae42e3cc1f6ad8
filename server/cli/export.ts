import { statSync } from "node:fs";
import { exportGguf, GGUF_TYPES, type GgufType } from "../../models/export/index.js";
import { readArgs, UsageError, unexpected } from "../settings/args.js";
import { type Flags, usageOf } from "./command.js";
import { shellQuoted } from "./terminal/shell.js";
import { bytes } from "./terminal/units.js";

export const flags = {
  out: { type: "string", value: "FILE", description: "the file to make" },
  type: {
    type: "string",
    default: "f32",
    value: "f32|f16|q8_0",
    description: "how matrices are kept; default f32, which loses nothing",
  },
  approximate: {
    type: "boolean",
    description: "also where llama.cpp computes or tokenizes a little differently",
  },
} as const satisfies Flags;

export const argument = "gguf";

export const usage = usageOf("export gguf DIR --out FILE.gguf [FLAGS]", flags, {
  rows: [
    ["gguf", "the format, of llama.cpp"],
    ["DIR", "a model folder"],
  ],
});

/** Writes a model folder as a file for another program. @throws an error with a one-line message */
export async function run(args: string[]): Promise<void> {
  const { model, out, type, approximate } = parse(args);
  const { architecture, tensors, notes } = await exportGguf({ model, out, type, approximate });
  const lines = [
    `llama.cpp's architecture ${architecture}: ${tensors} tensors, ${bytes(statSync(out).size)}`,
    ...notes.map((note) => `note: ${note}`),
    `written to ${out}`,
    `run it: llama-server --model ${shellQuoted(out)}`,
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function parse(args: string[]) {
  const { values, positionals } = readArgs({ args, allowPositionals: true, options: flags });
  const [format, model, ...others] = positionals;
  const { out, type, approximate = false } = values;
  if (format !== "gguf") throw new UsageError(`expected the format gguf, got ${format ?? "none"}`);
  if (model === undefined) throw new UsageError("expected a model folder, got none");
  if (others.length > 0) throw new UsageError(`expected one model folder, got ${positionals.length - 1}`);
  if (out === undefined) throw new UsageError("expected --out FILE.gguf, got none");
  if (!isType(type)) throw unexpected("type", GGUF_TYPES.join(" or "), type);
  return { model, out, type, approximate };
}

const isType = (text: string): text is GgufType => (GGUF_TYPES as readonly string[]).includes(text);
