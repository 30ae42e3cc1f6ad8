import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { nearest } from "../nearest.js";
import { allowedHostsForm, parseAllowedHosts } from "./allowed-hosts.js";
import { readArgs } from "./args.js";
import { corsOriginsForm, parseCorsOrigins } from "./cors-origins.js";
import type { Key } from "./key.js";
import { keyListForm, parseKeyList } from "./key-list.js";
import { readSecrets } from "./webhook-secrets.js";

/**
 * The package's root folder, with openapi.yaml and the default model. (This file is compiled to dist/server/settings.)
 */
export const packageRoot = resolve(dirname(fileURLToPath(import.meta.url)), "../../..");

/** A setting has an invalid value. The message is one line that can be shown to the user alone. */
export class ConfigError extends Error {
  override name = "ConfigError";
}

/** One row of the table of settings. */
interface Setting<T> {
  /** The flag without its dashes. The environment variable is JAI_ and the same in capitals. */
  flag: string;
  /** Placeholder for the flag's value in the usage. */
  value: string;
  /** Reads a value; null for an invalid text. */
  parse: (text: string) => T | null;
  /** Describes the values that `parse` accepts. */
  expected: string;
  default: T;
  description: string;
  /** The value is a secret, which errors must not show. */
  secret?: true;
}

type Row<T> = Pick<Setting<T>, "flag" | "default" | "description">;

const parseInteger = (text: string, min: number, max: number) => {
  const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  return number >= min && number <= max ? number : null;
};

function integer(min: number, max: number, row: Row<number>): Setting<number> {
  const expected = `an integer from ${min} to ${max}`;
  return { ...row, value: "N", expected, parse: (text) => parseInteger(text, min, max) };
}

function autoOrInteger(min: number, max: number, row: Row<number | "auto">): Setting<number | "auto"> {
  const expected = `auto or an integer from ${min} to ${max}`;
  return {
    ...row,
    value: "auto|N",
    expected,
    parse: (text) => (text === "auto" ? text : parseInteger(text, min, max)),
  };
}

function noneOrInteger(min: number, max: number, row: Row<number | "none">): Setting<number | "none"> {
  const expected = `none or an integer from ${min} to ${max}`;
  return {
    ...row,
    value: "none|N",
    expected,
    parse: (text) => (text === "none" ? text : parseInteger(text, min, max)),
  };
}

function seconds(row: Row<number>): Setting<number> {
  return { ...integer(0, 86_400, row), value: "SECONDS" };
}

function choice<const T extends string>(choices: readonly T[], row: Row<NoInfer<T>>): Setting<T> {
  const expected = `one of ${choices.join(", ")}`;
  return {
    ...row,
    value: choices.join("|"),
    expected,
    parse: (text) => choices.find((one) => one === text) ?? null,
  };
}

function text(value: string, row: Row<string>, parse = (given: string) => given): Setting<string> {
  return { ...row, value, expected: "a text", parse };
}

/** The secret shared with the receivers of callbacks. There may be several, while they change from one to the next. */
const secrets: Setting<string> = {
  flag: "callback-secret",
  value: "none|SECRET",
  expected: "none, or whsec_ and 24 to 64 bytes in base64, or several of these with spaces between them",
  parse: (given) => (given === "none" || readSecrets(given) !== null ? given : null),
  default: "none",
  description:
    "secret that signs callbacks (whsec_…), or several separated by spaces; none: callbacks are off",
};

/** Every setting of `jai serve`, in the order in which the usage lists them. */
export const settings = {
  model: text(
    "DIR",
    {
      flag: "model",
      default: join(packageRoot, "models/jai-small"),
      description: "the model folder to serve",
    },
    (given) => resolve(given),
  ),
  host: text("HOST", { flag: "host", default: "127.0.0.1", description: "the address to listen on" }),
  port: integer(0, 65_535, {
    flag: "port",
    default: 8000,
    description: "the port to listen on; 0 takes any free one",
  }),
  device: choice(["auto", "cpu", "cuda", "webgpu"], {
    flag: "device",
    default: "auto",
    description: "where the model runs: auto, cpu, cuda or webgpu",
  }),
  workers: autoOrInteger(1, 64, {
    flag: "workers",
    default: "auto",
    description:
      "worker threads, on a CPU with one copy of the weights for all; auto: on a CPU from cores and model size, on GPUs one each",
  }),
  concurrency: autoOrInteger(1, 4096, {
    flag: "concurrency",
    default: "auto",
    description:
      "sequences generated at once, over all workers; auto: 32 per one-thread CPU worker, 64 per wider one, 256 per CUDA worker, fewer if memory is short",
  }),
  threads: autoOrInteger(1, 1024, {
    flag: "threads",
    default: "auto",
    description: "native threads per worker; auto: the cores, divided among the workers",
  }),
  memoryBytes: autoOrInteger(1024 * 1024, 1024 ** 5, {
    flag: "memory-bytes",
    default: "auto",
    description:
      "memory of the process, in bytes; beyond it workers are replaced; auto: half of what is free, or what the workers need",
  }),
  queueLimit: integer(0, 1_000_000, {
    flag: "queue-limit",
    default: 256,
    description: "sequences that may wait for a slot; beyond it 503",
  }),
  queueLimitCaller: autoOrInteger(0, 1_000_000, {
    flag: "queue-limit-caller",
    default: "auto",
    description: "waiting sequences of one caller; beyond it 429; auto: all, or half if API keys are set",
  }),
  queueTokens: autoOrInteger(1, 1_000_000_000, {
    flag: "queue-tokens",
    default: "auto",
    description:
      "prompt tokens of requests that have not started; beyond it 503; auto: (concurrency + queue limit) x context length, at least 4 x JAI_MAX_PROMPT_CHARS",
  }),
  timeoutQueue: seconds({
    flag: "timeout-queue",
    default: 0,
    description: "seconds from a request's arrival to its start; then 504; 0: no limit",
  }),
  timeoutFirstToken: seconds({
    flag: "timeout-first-token",
    default: 0,
    description: "seconds from a request's arrival to its first token; then 504; 0: no limit",
  }),
  timeoutStall: seconds({
    flag: "timeout-stall",
    default: 0,
    description: "seconds from one token of a request to the next; then 504; 0: no limit",
  }),
  timeoutTotal: seconds({
    flag: "timeout-total",
    default: 0,
    description: "seconds from a request's arrival to its end; then 504; 0: no limit",
  }),
  maxTokens: integer(1, 1_000_000, {
    flag: "max-tokens",
    default: 4096,
    description: "the largest max_tokens of a request",
  }),
  maxPromptChars: integer(1, 10_000_000, {
    flag: "max-prompt-chars",
    default: 32_768,
    description: "the longest prompt, in characters",
  }),
  maxBodyBytes: integer(1024, 64 * 1024 * 1024, {
    flag: "max-body-bytes",
    default: 1024 * 1024,
    description: "the largest request body, in bytes",
  }),
  contextStride: autoOrInteger(1, 1_000_000, {
    flag: "context-stride",
    default: "auto",
    description:
      "tokens by which the window slides when the output exceeds the context, 1 to the context length; auto: a quarter of it",
  }),
  speculation: choice(["auto", "off"], {
    flag: "speculation",
    default: "auto",
    description:
      "whether tokens are drafted from earlier texts of the same API key, where that is faster; no text is other for it",
  }),
  dataDir: text(
    "auto|DIR",
    {
      flag: "data-dir",
      default: "auto",
      description:
        "folder for jobs, stored responses and the prepared weights; do not share it between servers; auto: one folder per port in the user's state folder",
    },
    (given) => (given === "auto" ? given : resolve(given)),
  ),
  dataBytes: integer(1024 * 1024, 1024 ** 4, {
    flag: "data-bytes",
    default: 1024 ** 3,
    description: "the most bytes of jobs and stored responses; beyond it new ones get 507",
  }),
  jobLimit: integer(0, 1_000_000, {
    flag: "job-limit",
    default: 10_000,
    description: "jobs that may wait; beyond it 503",
  }),
  jobTtl: integer(1, 31_536_000, {
    flag: "job-ttl",
    default: 86_400,
    description: "seconds for which an ended job, or a response stored for an Idempotency-Key, is kept",
  }),
  callbackSecret: secrets,
  callbackPrivate: choice(["refuse", "allow"], {
    flag: "callback-private",
    default: "refuse",
    description: "whether callbacks may go to addresses that are not public: refuse or allow",
  }),
  drainSeconds: integer(0, 86_400, {
    flag: "drain-seconds",
    default: 30,
    description: "seconds for which a shutdown waits for admitted requests",
  }),
  restart: choice(["on", "off"], {
    flag: "restart",
    default: "off",
    description: "on: a parent process starts the server again when it crashes, and answers 503 meanwhile",
  }),
  apiKeys: {
    flag: "api-keys",
    value: "none|LIST",
    expected: keyListForm,
    parse: (given) => (given === "none" ? given : parseKeyList(given)),
    default: "none",
    description: "API keys, KEY or NAME=KEY, separated by commas; none: everybody may call",
    secret: true,
  } satisfies Setting<readonly Key[] | "none"> as Setting<readonly Key[] | "none">,
  apiKeysFile: text(
    "none|FILE",
    {
      flag: "api-keys-file",
      default: "none",
      description: "JSON file with API keys and limits, instead of JAI_API_KEYS; read again when it changes",
    },
    (given) => (given === "none" ? given : resolve(given)),
  ),
  allowedHosts: {
    flag: "allowed-hosts",
    value: "none|*|LIST",
    expected: allowedHostsForm,
    parse: parseAllowedHosts,
    default: "none",
    description:
      "host names that a server without API keys answers to, beside its own, separated by commas; *: all",
  } satisfies Setting<readonly string[] | "none" | "*"> as Setting<readonly string[] | "none" | "*">,
  corsOrigins: {
    flag: "cors-origins",
    value: "none|*|LIST",
    expected: corsOriginsForm,
    parse: parseCorsOrigins,
    default: "none",
    description: "allowed CORS origins, separated by commas; *: all",
  } satisfies Setting<readonly string[] | "none" | "*"> as Setting<readonly string[] | "none" | "*">,
  metrics: choice(["keys", "public", "off"], {
    flag: "metrics",
    default: "keys",
    description: "who may read /metrics: keys (any API key, or everybody if none are set), public or off",
  }),
  metricsPort: noneOrInteger(0, 65_535, {
    flag: "metrics-port",
    default: "none",
    description: "a port of its own for /metrics, without keys and with callers' names; 0 takes any free one",
  }),
  metricsNames: choice(["jai", "vllm", "both"], {
    flag: "metrics-names",
    default: "jai",
    description: "names of the metrics that vLLM has too: jai (jai_…), vllm (vllm:…) or both",
  }),
  logLevel: choice(["error", "warn", "info", "debug"], {
    flag: "log-level",
    default: "info",
    description: "the lowest level that is logged: error, warn, info or debug",
  }),
  logFormat: choice(["text", "json"], {
    flag: "log-format",
    default: "text",
    description: "text, or json for one JSON object per line",
  }),
  logPrompts: choice(["on", "off"], {
    flag: "log-prompts",
    default: "on",
    description: "on: log the first 50 characters of prompts; off: log nothing from bodies",
  }),
};

type Settings = typeof settings;
export type Config = {
  readonly [Name in keyof Settings]: Settings[Name] extends Setting<infer T> ? T : never;
};

export const environmentName = (flag: string) => `JAI_${flag.toUpperCase().replaceAll("-", "_")}`;

/** Variables of other commands, and the one that a parent process sets (`server/serve/parent-link.ts`). */
const otherNames = ["JAI_API_KEY", "JAI_PARENT"];

/** One line for each unknown `JAI_…` variable of the environment, with the nearest setting. */
export function unknownSettings(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = Object.values(settings).map(({ flag }) => environmentName(flag));
  return Object.keys(environment)
    .filter((name) => name.startsWith("JAI_") && ![...known, ...otherNames].includes(name))
    .map((name) => {
      const meant = nearest(name, known, Math.ceil((name.length - "JAI_".length) / 3));
      return `${name}: no such setting${meant === null ? "" : `; did you mean ${meant}?`}`;
    });
}

/** `JAI_PORT: expected an integer from 0 to 65535, got "abc"`. @param got null for a secret, which is not shown */
export function expectation(name: string, expected: string, got: string | null): ConfigError {
  const what = got === null ? "something else, which is not shown" : JSON.stringify(got);
  return new ConfigError(`${name}: expected ${expected}, got ${what}`);
}

/** A setting's value as the user wrote it, and the name that they used: `JAI_PORT`, `--port` or `port`. */
interface Given {
  name: string;
  text: string;
}

/**
 * Reads the settings: a flag wins over its environment variable, which wins over the default. An empty variable counts
 * as absent, as in environment files.
 * @throws UsageError for an unknown flag
 * @throws ConfigError for an invalid value
 */
export function readConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Config {
  const flags = readFlags(args);
  return readSettings((_key, flag) => {
    const text = flags[flag];
    if (text !== undefined) return { name: `--${flag}`, text };
    const variable = environmentName(flag);
    // Values from environment files written on Windows end with a carriage return.
    const value = environment[variable]?.replace(/\r$/, "");
    return value ? { name: variable, text: value } : null;
  });
}

/**
 * Reads every setting with `find`; null means the default.
 * @throws ConfigError for an invalid value
 */
export function readSettings(find: (key: keyof Config, flag: string) => Given | null): Config {
  const entries = Object.entries(settings as Record<string, Setting<unknown>>).map(([key, setting]) => {
    const given = find(key as keyof Config, setting.flag);
    if (given === null) return [key, setting.default];
    const value = given.text === "" ? null : setting.parse(given.text);
    if (value === null) throw expectation(given.name, setting.expected, setting.secret ? null : given.text);
    return [key, value];
  });
  return Object.freeze(Object.fromEntries(entries)) as Config;
}

function readFlags(args: readonly string[]): Record<string, string | undefined> {
  const options = Object.fromEntries(
    Object.values(settings).map(({ flag }) => [flag, { type: "string" as const }]),
  );
  return readArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
}

/** One line per flag, with its environment variable and default. */
export function describeSettings(): string {
  const rows = Object.values(settings as Record<string, Setting<unknown>>).map((setting) => ({
    left: `  --${setting.flag} ${setting.value}`,
    right: `${setting.description} (${environmentName(setting.flag)}; ${shortDefault(setting)})`,
  }));
  const width = Math.max(...rows.map(({ left }) => left.length)) + 2;
  return rows.map(({ left, right }) => `${left.padEnd(width)}${right}`).join("\n");
}

function shortDefault(setting: Setting<unknown>): string {
  return String(setting.default).replace(`${packageRoot}/`, "");
}
