import type { Storage, Tensor } from "./tensor.js";

/**
 * A value in a pickle. A dict is a `Map`, so that no key (`__proto__`) can reach an object's prototype; a list is an
 * array; an int past 2^53 is a bigint.
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Tuple
  | PythonSet
  | Global
  | Instance
  | NumpyArray
  | NumpyDtype
  | Storage
  | Tensor
  | Value[]
  | Map<Value, Value>;

export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** A set or a frozenset, in the file's order. */
export class PythonSet {
  constructor(readonly items: Value[]) {}
}

/** A Python global that a pickle may name. Only one with a `call` may be called, and that function is ours. */
export class Global {
  constructor(
    readonly name: string,
    readonly call?: (args: readonly Value[]) => Value,
  ) {}
}

/** A class's fields and slots are merged up to this number; no configuration has more. */
const MAX_MERGED = 10_000;

/**
 * What stands for an object of a class that is not known here: the class's name and the data that the file gives for
 * it. No method of the class exists, so nothing can run.
 */
export class Instance {
  #entries: Map<Value, Value> | undefined;
  #items: Value[] | undefined;
  /** What `__setstate__` would get. Kept as it came: a copy could be made to cost a lot. */
  state: Value = null;

  constructor(
    readonly type: string,
    readonly args: readonly Value[],
    /** True if the file would call a function to get it, not only make an object. */
    readonly called: boolean,
  ) {}

  /** Items of a class that is derived from dict. Made when needed, since a file may have a million objects. */
  get entries(): Map<Value, Value> {
    this.#entries ??= new Map();
    return this.#entries;
  }

  /** Items of a class that is derived from list. */
  get items(): Value[] {
    this.#items ??= [];
    return this.#items;
  }

  setState(state: Value): boolean {
    this.state = state;
    return true;
  }

  /** Its fields: what is in `__dict__`, in the slots, and the items of a dict. */
  get fields(): ReadonlyMap<Value, Value> {
    const parts = this.#parts().filter((part) => part.size > 0);
    if (parts.length === 1) return parts[0]!;
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    return new Map(size > MAX_MERGED ? [] : parts.flatMap((part) => [...part]));
  }

  has(field: string): boolean {
    return this.#parts().some((part) => part.has(field));
  }

  #parts(): ReadonlyMap<Value, Value>[] {
    const states = this.state instanceof Tuple ? this.state.items : [this.state];
    return [...states.slice(0, 2), this.#entries ?? null].filter((part) => part instanceof Map);
  }
}

/** A dtype as a pickle makes it: its code first, then, as its state, the byte order. */
export class NumpyDtype {
  order: "<" | ">" = "<";

  constructor(readonly code: string) {}

  setState(state: Value): boolean {
    const order = state instanceof Tuple ? state.items[1] : undefined;
    if (order !== "<" && order !== ">" && order !== "|" && order !== "=") return false;
    if (order === ">") this.order = order;
    return true;
  }
}

/** An array beside the tensors, such as a list of losses. Nothing here needs its elements. */
export class NumpyArray {
  shape: readonly Value[] = [];
  dtype: NumpyDtype | undefined;
  data: Value = null;

  setState(state: Value): boolean {
    const [, shape, dtype, , data] = state instanceof Tuple ? state.items : [];
    if (!(shape instanceof Tuple && dtype instanceof NumpyDtype)) return false;
    this.shape = shape.items;
    this.dtype = dtype;
    this.data = data ?? null;
    return true;
  }
}

/** How Python calls the value, for messages. */
export function describe(value: Value | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "None";
  switch (typeof value) {
    case "string":
      return `the str ${JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value)}`;
    case "number":
    case "bigint":
      return `the number ${value}`;
    case "boolean":
      return value ? "True" : "False";
  }
  if (Array.isArray(value)) return "a list";
  if (value instanceof Map) return "a dict";
  if (value instanceof Tuple) return "a tuple";
  if (value instanceof PythonSet) return "a set";
  if (value instanceof Global) return value.name;
  if (value instanceof Instance)
    return value.called ? `what "${value.type}" would return` : `an object of the class "${value.type}"`;
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof NumpyDtype) return "a NumPy dtype";
  if (value instanceof NumpyArray) return "a NumPy array";
  return "elements" in value ? "a tensor" : "a storage";
}
