import { resolve } from "node:path";
import type { Architecture } from "../../models/architecture.js";
import type { ModelConfig } from "../../models/config.js";
import { describeModel, type ModelDescription } from "../../models/description.js";
import { probeHardware } from "../plan/hardware.js";
import { neededMemory, within } from "../plan/memory.js";
import { planDevices } from "../plan/plan.js";
import { readArgs, UsageError } from "../settings/args.js";
import { type Config, ConfigError, readConfig } from "../settings/config.js";
import { type Flags, jsonFlag, usageOf } from "./command.js";
import { endWithReader, say, sayJson } from "./terminal/output.js";
import { stylesOf } from "./terminal/styles.js";
import { bytes, counted, thousands } from "./terminal/units.js";
import { visible, visibleLine } from "./terminal/visible.js";
import { pad, width } from "./terminal/width.js";

export const flags = jsonFlag satisfies Flags;

export const argument = "DIR";

export const usage = usageOf("show [MODEL] [FLAGS]", flags, {
  rows: [["MODEL", "the model folder; default: JAI_MODEL, or the default model"]],
});

/** Concurrencies whose memory is shown, up to the plan's own. */
const STEPS = [1, 8, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/** @throws ModelError if the folder is no model, with one line that says why */
export async function run(args: string[]): Promise<void> {
  const { values, positionals } = readArgs({ args, options: flags, allowPositionals: true });
  if (positionals.length > 1) throw new UsageError(`expected one model folder, got ${positionals.length}`);
  const config = readConfig([], process.env);
  const model = describeModel(positionals[0] === undefined ? config.model : resolve(positionals[0]));
  const memory = await planMemory(model, config).catch((error: unknown) => {
    // The settings are for another machine: that is no reason to show nothing of the model.
    if (error instanceof ConfigError) return error;
    throw error;
  });
  endWithReader();
  if (values.json) sayJson(documentOf(model, memory));
  else for (const line of linesOf(model, memory)) say(line);
}

interface PlannedMemory {
  /** The choice of `jai serve` on this machine. */
  device: string;
  workers: number;
  threads: number;
  concurrency: number;
  /** Memory of the whole process, by sequences at once. */
  rows: { concurrency: number; workers: number; bytes: number }[];
}

async function planMemory(
  { folder, cacheBytesPerSlot }: ModelDescription,
  config: Config,
): Promise<PlannedMemory> {
  const hardware = within(await probeHardware(), config.memoryBytes);
  const { modelBytes } = folder;
  const size = { precision: folder.config.precision, modelBytes, cacheBytesPerSlot };
  const planned = (concurrency: Config["concurrency"]) =>
    planDevices(hardware, { ...config, concurrency }, size);
  const { device, workers, threads, concurrency } = planned(config.concurrency);
  // A fixed number of workers can't be planned for fewer sequences than workers.
  const least = config.workers === "auto" ? 1 : config.workers;
  const steps = STEPS.filter((step) => step >= least && step < concurrency);
  const rows = [...steps, concurrency].map((step) => {
    const plan = planned(step);
    return { concurrency: step, workers: plan.workers, bytes: neededMemory(plan, size) };
  });
  return { device, workers, threads, concurrency, rows };
}

/** What import recorded of the folder's numbers, as a share of the logits' spread. */
function quantization({ config, selfTest }: ModelDescription["folder"]): {
  error: number | null;
  words: string;
} {
  const { precision } = config;
  if (selfTest === null)
    return { error: null, words: "unknown: an earlier version imported it; import it again" };
  const percent = `${(100 * selfTest.error).toPrecision(2)} %`;
  const words =
    precision === "int8"
      ? `int8 logits were ${percent} off the original's at import`
      : `${percent} off at import`;
  return { error: selfTest.error, words };
}

function documentOf(model: ModelDescription, memory: PlannedMemory | ConfigError) {
  const { folder, parameters, hidden, cacheBytesPerSlot, tokenizer, chatTemplate } = model;
  const { config } = folder;
  return {
    name: config.name,
    path: folder.dir,
    architecture: config.architecture,
    parameters,
    bytes: folder.modelBytes,
    vocabulary: config.vocab_size,
    context: config.n_positions,
    layers: config.n_layer,
    heads: config.n_head,
    kv_heads: config.n_kv_head,
    width: config.n_embd,
    hidden,
    precision: config.precision,
    import_error: quantization(folder).error,
    tokenizer: {
      ...tokenizer,
      vocabulary: folder.tokenizer.size,
      eos_id: folder.eosIds[0] ?? null,
      eos_ids: folder.eosIds,
    },
    chat_template: chatTemplate,
    cache_bytes_per_sequence: cacheBytesPerSlot,
    plan: memory instanceof ConfigError ? { error: memory.message } : memory,
  };
}

function linesOf(model: ModelDescription, memory: PlannedMemory | ConfigError): string[] {
  const { folder, tokenizer } = model;
  const styles = stylesOf(process.stdout);
  const special = tokenizer.added.map(({ id, content }) => `${visibleLine(content)} ${id}`);
  const sections: Record<string, string[][]> = {
    [visibleLine(folder.config.name)]: sizeRows(model),
    tokenizer: [
      ["kind", kindOf(tokenizer)],
      ["vocabulary", `${thousands(folder.tokenizer.size)} tokens`],
      ["added", special.length === 0 ? "none" : listed(special)],
      [
        "end of text",
        folder.eosIds.length === 0
          ? "none: only stop texts and max_tokens end it"
          : `token ${folder.eosIds.join(" or ")}`,
      ],
    ],
    "chat template": templateRows(model),
    "memory on this machine": memoryRows(model, memory),
  };
  const rows = Object.values(sections).flat();
  const left = Math.max(...rows.map(([name = ""]) => width(name)));
  return Object.entries(sections).flatMap(([title, some], at) => [
    ...(at === 0 ? [] : [""]),
    styles.bold(title),
    ...some.map(([name = "", text = ""]) => `  ${styles.dim(pad(name, left))}  ${text}`),
  ]);
}

/** A character model is a BPE without merges; a Unigram has none either. */
function kindOf({ type, merges }: ModelDescription["tokenizer"]): string {
  if (type !== "BPE") return type;
  return merges === 0 ? "BPE without merges, as of characters" : `BPE, ${thousands(merges)} merges`;
}

function sizeRows({ folder, parameters, hidden }: ModelDescription): string[][] {
  const { config } = folder;
  return [
    ["path", visibleLine(folder.dir)],
    ["architecture", wordsOf(config.architecture)],
    [
      "parameters",
      `${thousands(parameters.total)}, of them ${thousands(parameters.head)} in the output head (often a copy of the token table)`,
    ],
    ["layers", `${config.n_layer}, of ${counted(config.n_head, "head")} each${sharing(config)}`],
    ["width", `${thousands(config.n_embd)}, ${thousands(hidden)} in the feed-forward layers`],
    ["context", `${thousands(config.n_positions)} tokens`],
    ["size", `${bytes(folder.modelBytes)} of graph and weights`],
    ["precision", config.precision],
    ["self-test", quantization(folder).words],
  ];
}

const ACTIVATION_WORDS: Record<Architecture["activation"], string> = {
  gelu: "GELU",
  gelu_tanh: "GELU by tanh",
  silu: "SiLU",
  relu: "ReLU",
  relu2: "squared ReLU",
};

/** What distinguishes the model's layers, in a few words. */
function wordsOf(architecture: Architecture): string {
  const { rotary, norm, activation, gated_mlp, qk_norm, parallel_residual } = architecture;
  const { sliding_window, embedding_norm, final_logit_softcapping: cap } = architecture;
  return [
    rotary === null ? "learned positions" : `rotary positions (base ${thousands(rotary.theta)})`,
    norm === "layernorm" ? "LayerNorm" : "RMSNorm",
    `${ACTIVATION_WORDS[activation]}${gated_mlp ? " with a gate" : ""}`,
    ...(qk_norm === null ? [] : ["normalized queries and keys"]),
    ...(parallel_residual ? ["parallel residual"] : []),
    ...(sliding_window === null ? [] : ["sliding windows"]),
    ...(embedding_norm ? ["normalized embeddings"] : []),
    ...(cap === null ? [] : [`logits capped at ${cap}`]),
  ].join(", ");
}

const sharing = ({ n_head, n_kv_head }: ModelConfig) =>
  n_head === n_kv_head ? "" : `, which share ${counted(n_kv_head, "head")} of keys and values`;

const SHOWN_LINES = 3;

function templateRows({ chatTemplate }: ModelDescription): string[][] {
  if (chatTemplate === null)
    return [["source", "none: /generate and /v1/completions alone; jai import --chat-template sets one"]];
  const { source, system, conversation, terminator } = chatTemplate;
  const lines = visible(source ?? "")
    .trim()
    .split("\n");
  const shown = lines
    .slice(0, SHOWN_LINES)
    .map((line) => (line.length > 100 ? `${line.slice(0, 99)}…` : line));
  const isWhole = shown.join() === lines.join();
  const more = lines.length > SHOWN_LINES ? " …" : "";
  return [
    source === null
      ? ["source", "none in the folder: [QUESTION]…[/QUESTION] [ANSWER]… is used"]
      : ["source", shown.join(" ") + (isWhole ? "" : `${more} (whole with --json)`)],
    ["conversation", conversation ? "kept: the model sees earlier questions and answers" : "not kept"],
    ["system text", system ? "taken" : "not taken"],
    ["answer ends", terminator === null ? "with the end of text" : `at ${visibleLine(terminator)}`],
  ];
}

function memoryRows(
  { cacheBytesPerSlot }: ModelDescription,
  memory: PlannedMemory | ConfigError,
): string[][] {
  const cache = ["cache", `${bytes(cacheBytesPerSlot)} a sequence, over the whole context`];
  if (memory instanceof ConfigError) return [cache, ["plan", memory.message]];
  const { device, workers, threads, concurrency, rows } = memory;
  return [
    ["cache", `${bytes(cacheBytesPerSlot)} a sequence, over the whole context`],
    [
      "plan",
      `${device}, ${counted(workers, "worker")} of ${counted(threads, "thread")}, ${counted(concurrency, "sequence")} at once`,
    ],
    ...rows.map((row) => [
      `${row.concurrency} at once`,
      `${bytes(row.bytes)} with ${counted(row.workers, "worker")}`,
    ]),
  ];
}

const SHOWN_TOKENS = 12;

function listed(texts: readonly string[]): string {
  const more = texts.length - SHOWN_TOKENS;
  return texts.slice(0, SHOWN_TOKENS).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
