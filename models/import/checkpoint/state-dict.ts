import type { Checkpoint } from "./checkpoint.js";
import { ImportError } from "./error.js";
import { describe, type Value } from "./pickle.js";
import { Tensor } from "./tensor.js";

type Dict = Map<Value, Value>;

/** Keys under which training scripts put the state dict. Without them, the checkpoint itself is the state dict. */
const STATE_KEYS = ["model", "state_dict", "model_state_dict"];
/**
 * Checkpoint keys that may hold the sizes, in order of preference. In nanoGPT `config` has training settings,
 * `model_args` model sizes.
 */
const CONFIG_KEYS = ["cfg", "model_args", "config"];
/** Prefixes that `torch.compile` and `DistributedDataParallel` put before every name. */
const WRAPPERS = /^(?:_orig_mod\.|module\.)+/;

/** A model's tensors by name, without wrappers' prefixes, and what the checkpoint says about its sizes. */
export interface StateDict {
  tensors: Map<string, Tensor>;
  config: Config | undefined;
}

export interface Config {
  /** Its key in the checkpoint, for messages. */
  name: string;
  values: ReadonlyMap<Value, Value>;
}

/** @throws ImportError where there is none, more than one, or one that holds anything but tensors. */
export function findStateDict({ file, root }: Checkpoint): StateDict {
  if (!(root instanceof Map))
    throw new ImportError(file, `expected a checkpoint that is a dict, got ${describe(root)}`);
  const found = STATE_KEYS.filter((key) => holdsTensors(root.get(key)));
  if (found.length > 1)
    throw new ImportError(file, `expected one state dict, got ${found.map(quote).join(" and ")}`);
  const state = found[0] === undefined ? root : (root.get(found[0]) as Dict);
  if (!holdsTensors(state))
    throw new ImportError(
      file,
      `expected a state dict, at the top or as ${STATE_KEYS.map(quote).join(" or ")}, got a dict with ${keysOf(root)}`,
    );
  return { tensors: named(file, state), config: findConfig(root) };
}

function named(file: string, state: Dict): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const [key, value] of state) {
    if (typeof key !== "string")
      throw new ImportError(file, `expected a tensor's name in the state dict, got ${describe(key)}`);
    if (!(value instanceof Tensor))
      throw new ImportError(file, `expected ${quote(key)} to be a tensor, got ${describe(value)}`);
    const name = key.replace(WRAPPERS, "");
    if (tensors.has(name)) throw new ImportError(file, `the tensor ${quote(name)} is there twice`);
    tensors.set(name, value);
  }
  return tensors;
}

function findConfig(root: Dict): Config | undefined {
  for (const name of CONFIG_KEYS) {
    const values = root.get(name);
    if (values instanceof Map) return { name, values };
  }
  return undefined;
}

function holdsTensors(value: Value | undefined): boolean {
  return value instanceof Map && [...value.values()].some((item) => item instanceof Tensor);
}

function keysOf(dict: Dict): string {
  if (dict.size === 0) return "no keys";
  const keys = [...dict.keys()]
    .slice(0, 8)
    .map((key) => (typeof key === "string" ? quote(key) : describe(key)));
  return `the keys ${keys.join(", ")}${dict.size > keys.length ? ", …" : ""}`;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
