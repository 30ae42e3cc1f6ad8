import type { Checkpoint } from "./checkpoint.js";
import { ImportError } from "./error.js";
import { SAVE_STATE_DICT } from "./file-kind.js";
import { describe, Instance, type Value } from "./pickle.js";
import { Tensor } from "./tensor.js";

type Dict = Map<Value, Value>;

/** Keys under which training scripts put the state dict. Without them, the checkpoint itself is the state dict. */
const STATE_KEYS = [
  "model",
  "state_dict",
  "model_state_dict",
  "model_state",
  "module",
  "net",
  "network",
  "weights",
];
/**
 * Checkpoint keys that may hold the sizes, in order of preference. In nanoGPT `config` has training settings,
 * `model_args` model sizes.
 */
const CONFIG_KEYS = [
  "cfg",
  "model_args",
  "model_config",
  "gpt_config",
  "config",
  "args",
  "hyper_parameters",
  "hparams",
];
/** Prefixes that `torch.compile` and `DistributedDataParallel` put before every name. */
const WRAPPERS = /^(?:_orig_mod\.|module\.)+/;
/** Prefixes of wrappers of single layers. No layer of a model is called so itself. */
const INNER_WRAPPERS = /(?<=^|\.)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\./g;
/** Dicts within dicts that are searched for a state dict. */
const MAX_DEPTH = 3;
const MAX_NAME = 1000;

/** A model's tensors by name, without wrappers' prefixes, and what the checkpoint says about its sizes. */
export interface StateDict {
  tensors: Map<string, Tensor>;
  config: Config | undefined;
  /** Its keys in the checkpoint, joined by dots; "" for the checkpoint itself. */
  path: string;
}

export interface Config {
  /** Where it is in the checkpoint, for messages. */
  name: string;
  /** Fields of a dict, of a dataclass's object or of an `argparse.Namespace`. */
  values: ReadonlyMap<Value, Value>;
}

/** Where a state dict was found: its keys from the checkpoint down, and the dicts on the way. */
interface Found {
  path: string[];
  state: Dict;
  parents: Dict[];
}

/** @throws ImportError where there is none, more than one, or one that holds anything but tensors. */
export function findStateDict({ file, root }: Checkpoint): StateDict {
  assertNoModule(file, root, "a whole pickled module");
  const top = fieldsOf(root);
  if (top === undefined)
    throw new ImportError(file, `expected a checkpoint that is a dict, got ${describe(root)}`);
  const found = find(top);
  if (found.length > 1)
    throw new ImportError(
      file,
      `expected one state dict, got ${found.map(({ path }) => quote(path.join("."))).join(" and ")}`,
    );
  if (found[0] === undefined) throw noStateDict(file, top);
  const { path, state, parents } = found[0];
  return { tensors: named(file, state), config: findConfig(parents), path: path.join(".") };
}

/**
 * State dicts under their usual keys, or else the dict itself, or else those in the dicts that it holds.
 * @param seen A dict may hold itself, and a million may hold the same one: each is looked through once.
 */
function find(
  dict: Dict,
  path: string[] = [],
  parents: Dict[] = [],
  seen = { dicts: new Set<Dict>(), states: new Map<Dict, boolean>() },
): Found[] {
  if (seen.dicts.has(dict)) return [];
  seen.dicts.add(dict);
  const holdsTensors = (value: Value | undefined): value is Dict => {
    if (!(value instanceof Map)) return false;
    const known = seen.states.get(value) ?? [...value.values()].some((item) => item instanceof Tensor);
    seen.states.set(value, known);
    return known;
  };
  const here = [dict, ...parents];
  const found = STATE_KEYS.flatMap((key): Found[] => {
    const state = dict.get(key);
    return holdsTensors(state) ? [{ path: [...path, key], state, parents: here }] : [];
  });
  if (found.length > 0) return found;
  // Below the top, a dict of tensors under another key may be anything, such as an optimizer's state.
  if (path.length === 0 && holdsTensors(dict)) return [{ path, state: dict, parents: here }];
  if (path.length === MAX_DEPTH) return [];
  return [...dict].flatMap(([key, value]) =>
    typeof key === "string" && value instanceof Map ? find(value, [...path, key], here, seen) : [],
  );
}

function named(file: string, state: Dict): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  for (const [key, value] of state) {
    if (typeof key !== "string")
      throw new ImportError(file, `expected a tensor's name in the state dict, got ${describe(key)}`);
    // What a module keeps beside its tensors, by PyTorch's own name for it.
    if (key.endsWith("_extra_state") && !(value instanceof Tensor)) continue;
    assertNoModule(file, value, `${quote(key)} with a whole module`);
    if (!(value instanceof Tensor)) throw notA(file, key, "a tensor", value);
    tensors.set(key, value);
  }
  return withoutWrappers(file, tensors);
}

/** Names without the prefixes that PyTorch's wrappers put before or into them. */
export function withoutWrappers<T>(file: string, named: ReadonlyMap<string, T>): Map<string, T> {
  const tensors = new Map<string, T>();
  for (const [key, value] of named) {
    if (key.length > MAX_NAME)
      throw new ImportError(
        file,
        `expected tensors' names of at most ${MAX_NAME} characters, got ${key.length}`,
      );
    const name = withoutWrapper(key);
    if (tensors.has(name)) throw new ImportError(file, `the tensor ${quote(name)} is there twice`);
    tensors.set(name, value);
  }
  return tensors;
}

export function withoutWrapper(name: string): string {
  return name.replace(WRAPPERS, "").replace(INNER_WRAPPERS, "");
}

/** The first that the innermost dict has. A configuration within it goes first: Lightning keeps what it was given. */
function findConfig(parents: readonly Dict[]): Config | undefined {
  for (const dict of parents) {
    for (const name of CONFIG_KEYS) {
      const values = fieldsOf(dict.get(name));
      if (values === undefined || values.size === 0) continue;
      for (const inner of CONFIG_KEYS) {
        const innerValues = fieldsOf(values.get(inner));
        if (innerValues !== undefined && innerValues.size > 0)
          return { name: `${name}.${inner}`, values: innerValues };
      }
      return { name, values };
    }
  }
  return undefined;
}

function fieldsOf(value: Value | undefined): Dict | undefined {
  if (value instanceof Map) return value;
  if (!(value instanceof Instance)) return undefined;
  const { fields } = value;
  return fields.size > 0 ? (fields as Dict) : undefined;
}

function noStateDict(file: string, top: Dict): ImportError {
  for (const [key, value] of top)
    if (isModule(value)) assertNoModule(file, value, `a whole pickled module under ${describe(key)}`);
  for (const key of STATE_KEYS) {
    const value = top.get(key);
    if (value instanceof Instance) return notA(file, key, "a state dict", value);
  }
  const got = top.size === 0 ? "no keys" : keysOf(top);
  return new ImportError(
    file,
    `expected a state dict, at the top or as ${STATE_KEYS.slice(0, 3).map(quote).join(" or ")}, got a dict with ${got}`,
  );
}

function notA(file: string, key: string, expected: string, got: Value): ImportError {
  const how =
    got instanceof Instance ? `, whose code isn't in the file (nothing was run); ${SAVE_STATE_DICT}` : "";
  return new ImportError(file, `expected ${quote(key)} to be ${expected}, got ${describe(got)}${how}`);
}

/** A module is an object of the user's class, and its tensors are of no use without that class's code. */
function assertNoModule(file: string, value: Value, got: string): void {
  if (!isModule(value)) return;
  throw new ImportError(
    file,
    `expected a state dict, got ${got}, of the class "${value.type}", whose code isn't in the file (nothing was run); ${SAVE_STATE_DICT}`,
  );
}

function isModule(value: Value | undefined): value is Instance {
  return value instanceof Instance && value.has("_parameters") && value.has("_modules");
}

function keysOf(dict: Dict): string {
  const keys = [...dict.keys()]
    .slice(0, 8)
    .map((key) => (typeof key === "string" ? quote(key) : describe(key)));
  return `the keys ${keys.join(", ")}${dict.size > keys.length ? ", …" : ""}`;
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
