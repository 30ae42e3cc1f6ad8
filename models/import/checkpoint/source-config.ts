import { join } from "node:path";
import { parseDocument } from "yaml";
import { ImportError } from "./error.js";
import { isJsonObject, type JsonObject, readJsonObject, readSmallFile } from "./json-file.js";
import type { Value } from "./pickle.js";
import type { Config } from "./state-dict.js";

const MAX_CONFIG = 4 << 20;

/**
 * The model's sizes as a file beside its weights has them: Hugging Face's `config.json`, litgpt's `model_config.yaml`, or
 * `model_config` in nanochat's `meta_STEP.json`, of the weights' step.
 * @param names names of all files in the folder
 * @param weights name of the weights' file
 * @throws ImportError
 */
export async function readSourceConfig(
  folder: string,
  names: readonly string[],
  weights: string,
): Promise<Config | undefined> {
  if (names.includes("config.json")) return fromJson(folder, "config.json");
  if (names.includes("model_config.yaml")) return fromYaml(folder, "model_config.yaml");
  const meta = metaOf(folder, names, weights);
  if (meta === undefined) return undefined;
  const { model_config: values } = await readJsonObject(join(folder, meta), MAX_CONFIG);
  if (!isJsonObject(values))
    throw new ImportError(join(folder, meta), 'expected an object "model_config", as nanochat writes it');
  return { name: `${meta}'s model_config`, values: dict(values) };
}

/** @throws ImportError */
export async function readOptionalJson(
  folder: string,
  names: readonly string[],
  name: string,
): Promise<JsonObject | undefined> {
  return names.includes(name) ? readJsonObject(join(folder, name), MAX_CONFIG) : undefined;
}

async function fromJson(folder: string, name: string): Promise<Config> {
  const values = dict(await readJsonObject(join(folder, name), MAX_CONFIG));
  // minGPT writes its whole setup, of which the model is a part.
  const model = values.get("model");
  return model instanceof Map ? { name: `${name}'s model`, values: model } : { name, values };
}

async function fromYaml(folder: string, name: string): Promise<Config> {
  const file = join(folder, name);
  const text = new TextDecoder().decode(await readSmallFile(file, MAX_CONFIG));
  const document = parseDocument(text, { logLevel: "silent" });
  const [problem] = document.errors;
  if (problem !== undefined)
    throw new ImportError(file, `expected YAML, got: ${problem.message.split("\n")[0]}`);
  let parsed: unknown;
  try {
    // An alias can stand for a copy of a copy of a copy; no configuration needs one.
    parsed = document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    throw new ImportError(file, `expected plain YAML, got: ${(error as Error).message}`);
  }
  if (!isJsonObject(parsed)) throw new ImportError(file, "expected fields, such as n_layer: 2");
  return { name, values: dict(parsed) };
}

/** The `meta_STEP.json` that belongs to the weights `model_STEP.pt`, or else the only one. */
function metaOf(folder: string, names: readonly string[], weights: string): string | undefined {
  const all = names.filter((name) => /^meta_\d+\.json$/.test(name));
  const step = /_(\d+)\.\w+$/.exec(weights)?.[1];
  const own = all.find((name) => name === `meta_${step}.json`);
  if (own !== undefined || all.length <= 1) return own ?? all[0];
  throw new ImportError(
    folder,
    `expected one meta_STEP.json, or one with the step of ${weights}, got ${all.slice(0, 5).join(", ")}`,
  );
}

/** JSON as a pickle's dict, so that a configuration is the same wherever it comes from. */
function dict(fields: JsonObject): Map<Value, Value> {
  return new Map(Object.entries(fields).map(([key, value]) => [key, toValue(value)]));
}

function toValue(value: unknown): Value {
  if (Array.isArray(value)) return value.map(toValue);
  if (isJsonObject(value)) return dict(value);
  return value as Value;
}
