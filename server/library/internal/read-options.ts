import { type Config, ConfigError, readSettings } from "../../config.js";
import { camelCase } from "./camel-case.js";
import { shown } from "./shown.js";

/**
 * The settings that these options are, read as those of the command line are.
 * @param names of the settings that can be given; others get `otherwise`, or the default
 * @throws ConfigError that names the option, what was expected and what came
 */
export function readOptions(
  options: object,
  { names, otherwise = {} }: { names: readonly string[]; otherwise?: Partial<Config> },
): Config {
  if (typeof options !== "object" || options === null)
    throw new ConfigError(`options: expected an object, got ${shown(options)}`);
  const given = new Map(Object.entries(options).filter(([, value]) => value !== undefined));
  for (const name of given.keys())
    if (!names.includes(name))
      throw new ConfigError(`unknown option "${name}": expected one of ${names.join(", ")}`);
  return {
    ...readSettings((name) => (given.has(name) ? { name, text: textOf(name, given.get(name)) } : null)),
    ...Object.fromEntries(Object.entries(otherwise).filter(([name]) => !given.has(name))),
  };
}

/** As the environment would have it. */
function textOf(name: string, value: unknown): string {
  if (typeof value === "string" || typeof value === "number") return String(value);
  if (Array.isArray(value) && value.every((entry) => typeof entry === "string")) return value.join(",");
  throw new ConfigError(`${name}: expected a text or a number, got ${shown(value)}`);
}

/** The same promise, with a ConfigError that calls settings by their options' names: `port`, not `JAI_PORT`. */
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
