import { type Config, ConfigError, readSettings } from "../../settings/config.js";
import { type Log, silent } from "../log.js";
import { camelCase } from "./camel-case.js";
import { shown } from "./shown.js";

const LEVELS = ["error", "warn", "info", "debug"] as const satisfies (keyof Log)[];

/**
 * Splits options into their log, by default a silent one, and the others.
 * @throws ConfigError for options that are no object, or a log that lacks a level
 */
export function takeLog(options: { log?: Log | undefined }): { log: Log; others: object } {
  if (typeof options !== "object" || options === null)
    throw new ConfigError(`options: expected an object, got ${shown(options)}`);
  const { log = silent, ...others } = options;
  if (!LEVELS.every((level) => typeof log?.[level] === "function"))
    throw new ConfigError(`log: expected an object with ${LEVELS.join(", ")}, got ${shown(log)}`);
  return { log, others };
}

/**
 * Reads options as settings, with the same checks as on the command line.
 * @param names settings that can be options; the others get `otherwise` or the default
 * @throws ConfigError that says which option is wrong, what was expected and what came
 */
export function readOptions(
  options: object,
  { names, otherwise = {} }: { names: readonly string[]; otherwise?: Partial<Config> },
): Config {
  const given = new Map(Object.entries(options).filter(([, value]) => value !== undefined));
  for (const name of given.keys())
    if (!names.includes(name))
      throw new ConfigError(`unknown option "${name}": expected one of ${names.join(", ")}`);
  return {
    ...readSettings((name) => (given.has(name) ? { name, text: textOf(name, given.get(name)) } : null)),
    ...Object.fromEntries(Object.entries(otherwise).filter(([name]) => !given.has(name))),
  };
}

/** A value as a text, as in an environment variable. */
function textOf(name: string, value: unknown): string {
  if (typeof value === "string" || typeof value === "number") return String(value);
  if (Array.isArray(value) && value.every((entry) => typeof entry === "string")) return value.join(",");
  throw new ConfigError(`${name}: expected a text or a number, got ${shown(value)}`);
}

/** The same promise, but its ConfigErrors call settings by their option names: `port`, not `JAI_PORT`. */
export async function optionNames<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(
      error.message.replace(/\bJAI_([A-Z_]+)\b/g, (_, name: string) => camelCase(name.toLowerCase())),
    );
  }
}
