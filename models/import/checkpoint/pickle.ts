import { ImportError } from "./error.js";
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
  | Global
  | Storage
  | Tensor
  | Value[]
  | Map<Value, Value>;

export class Tuple {
  constructor(readonly items: readonly Value[]) {}
}

/** A Python global that a pickle may name. Only one with a `call` may be called, and that function is ours. */
export class Global {
  constructor(
    readonly name: string,
    readonly call?: (args: readonly Value[]) => Value,
  ) {}
}

export interface PickleOptions {
  /** The file's name, for messages. */
  file: string;
  globals: ReadonlyMap<string, Global>;
  /** Python's `persistent_load`: turns the id that stands for outside data into that data. */
  persistentLoad(id: Value): Value;
}

/** A thousand layers with their optimizer state take a tenth of these. */
const MAX_OPCODES = 4_000_000;
const MAX_OBJECTS = 1_000_000;
const MAX_DEPTH = 1000;
const MAX_INT_BYTES = 64;
const STOP = 0x2e;

/**
 * Reads a pickle of plain values and tensors (protocols 2 to 5). There is no way from the input to code: a global is
 * looked up in `globals`, and anything else that would import, call or build is refused by name.
 * Time and memory are linear in the input, and bounded.
 * @throws ImportError
 */
export function unpickle(bytes: Uint8Array, options: PickleOptions): Value {
  return new Unpickler(bytes, options).run();
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
  if (value instanceof Global) return value.name;
  if (value instanceof Uint8Array) return "bytes";
  return "elements" in value ? "a tensor" : "a storage";
}

class Unpickler {
  readonly #bytes: Buffer;
  readonly #options: PickleOptions;
  readonly #memo = new Map<number, Value>();
  /** The stacks below the current mark; popping can't reach into them. */
  readonly #outer: Value[][] = [];
  #stack: Value[] = [];
  #at = 0;
  #objects = 0;

  constructor(bytes: Uint8Array, options: PickleOptions) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#options = options;
  }

  run(): Value {
    for (let opcodes = 0; opcodes < MAX_OPCODES; opcodes++) {
      const opcode = this.#uint(1);
      if (opcode === STOP) return this.#result();
      const value = this.#make(opcode);
      if (value !== undefined) this.#stack.push(value);
      else this.#change(opcode);
    }
    throw this.#error(`more than ${MAX_OPCODES} opcodes`);
  }

  #result(): Value {
    const value = this.#pop();
    if (this.#stack.length + this.#outer.length > 0) throw this.#error("values are left over at its end");
    return value;
  }

  /** The value that the opcode pushes; undefined for an opcode that pushes none. One table, so one long function. */
  #make(opcode: number): Value | undefined {
    switch (opcode) {
      case 0x4e: // NONE
        return null;
      case 0x88: // NEWTRUE
        return true;
      case 0x89: // NEWFALSE
        return false;
      case 0x4a: // BININT
        return this.#take(4).readInt32LE();
      case 0x4b: // BININT1
        return this.#uint(1);
      case 0x4d: // BININT2
        return this.#uint(2);
      case 0x8a: // LONG1
        return this.#int(this.#length(1));
      case 0x8b: // LONG4
        return this.#int(this.#length(4));
      case 0x47: // BINFLOAT
        return this.#take(8).readDoubleBE();

      case 0x8c: // SHORT_BINUNICODE
        return this.#text(1);
      case 0x58: // BINUNICODE
        return this.#text(4);
      case 0x8d: // BINUNICODE8
        return this.#text(8);
      case 0x43: // SHORT_BINBYTES
        return this.#made(Uint8Array.from(this.#take(this.#length(1))));
      case 0x42: // BINBYTES
        return this.#made(Uint8Array.from(this.#take(this.#length(4))));

      case 0x5d: // EMPTY_LIST
        return this.#made([]);
      case 0x7d: // EMPTY_DICT
        return this.#made(new Map());
      case 0x29: // EMPTY_TUPLE
        return this.#made(new Tuple([]));
      case 0x85: // TUPLE1
        return this.#made(new Tuple(this.#popMany(1)));
      case 0x86: // TUPLE2
        return this.#made(new Tuple(this.#popMany(2)));
      case 0x87: // TUPLE3
        return this.#made(new Tuple(this.#popMany(3)));
      case 0x74: // TUPLE
        return this.#made(new Tuple(this.#popToMark()));

      case 0x68: // BINGET
        return this.#recall(this.#uint(1));
      case 0x6a: // LONG_BINGET
        return this.#recall(this.#uint(4));
      case 0x63: // GLOBAL
        return this.#global(this.#line(), this.#line());
      case 0x93: // STACK_GLOBAL
        return this.#stackGlobal();
      case 0x51: // BINPERSID
        return this.#made(this.#options.persistentLoad(this.#pop()));
      case 0x52: // REDUCE
        return this.#made(this.#reduce());
      default:
        return undefined;
    }
  }

  /** Runs an opcode that changes existing values. */
  #change(opcode: number): void {
    switch (opcode) {
      case 0x80: // PROTO
        this.#assertProtocol(this.#uint(1));
        break;
      case 0x95: // FRAME: a hint for those who read from a stream
        this.#take(8);
        break;
      case 0x28: // MARK
        if (this.#outer.length === MAX_DEPTH) throw this.#error(`nested deeper than ${MAX_DEPTH}`);
        this.#outer.push(this.#stack);
        this.#stack = [];
        break;
      case 0x61: // APPEND
        this.#append(this.#popMany(1));
        break;
      case 0x65: // APPENDS
        this.#append(this.#popToMark());
        break;
      case 0x73: // SETITEM
        this.#setItems(this.#popMany(2));
        break;
      case 0x75: // SETITEMS
        this.#setItems(this.#popToMark());
        break;
      case 0x71: // BINPUT
        this.#remember(this.#uint(1));
        break;
      case 0x72: // LONG_BINPUT
        this.#remember(this.#uint(4));
        break;
      case 0x94: // MEMOIZE
        this.#remember(this.#memo.size);
        break;
      case 0x62: // BUILD
        this.#build();
        break;
      default:
        throw this.#error(`the opcode 0x${opcode.toString(16)} is refused; a state dict doesn't need it`);
    }
  }

  #assertProtocol(protocol: number): void {
    if (protocol < 2 || protocol > 5) throw this.#error(`expected protocol 2 to 5, got ${protocol}`);
  }

  #append(items: Value[]): void {
    const list = this.#stack.at(-1);
    if (!Array.isArray(list)) throw this.#error(`expected a list to append to, got ${describe(list)}`);
    for (const item of items) list.push(item);
  }

  #setItems(items: Value[]): void {
    const dict = this.#stack.at(-1);
    if (!(dict instanceof Map)) throw this.#error(`expected a dict to set items of, got ${describe(dict)}`);
    if (items.length % 2 !== 0) throw this.#error("a dict's key has no value");
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i]!;
      if (Array.isArray(key) || key instanceof Map)
        throw this.#error(`expected a dict's key, got ${describe(key)}`);
      if (dict.has(key)) throw this.#error(`the dict's key ${describe(key)} is there twice`);
      dict.set(key, items[i + 1]!);
    }
  }

  #global(module: string, name: string): Global {
    const full = `${module}.${name}`;
    const found = this.#options.globals.get(full);
    if (found !== undefined) return found;
    throw this.#error(
      `the global "${full}" is refused, nothing was run; expected tensors and plain values only (save model.state_dict(), and a configuration as a plain dict such as vars(args))`,
    );
  }

  #stackGlobal(): Global {
    const [module, name] = this.#popMany(2);
    if (typeof module !== "string" || typeof name !== "string")
      throw this.#error("a global's name is not a str");
    return this.#global(module, name);
  }

  #reduce(): Value {
    const [callee, args] = this.#popMany(2);
    if (!(callee instanceof Global) || callee.call === undefined)
      throw this.#error(`calling ${describe(callee)} is refused, nothing was run`);
    if (!(args instanceof Tuple))
      throw this.#error(`expected a tuple of arguments for ${callee.name}, got ${describe(args)}`);
    return callee.call(args.items);
  }

  /** The only state in a state dict is an OrderedDict's `_metadata`: versions of modules, which nothing here needs. */
  #build(): void {
    const state = this.#pop();
    const target = this.#stack.at(-1);
    if (!(target instanceof Map) || !(state instanceof Map))
      throw this.#error(`setting the state of ${describe(target)} is refused, nothing was run`);
  }

  #remember(index: number): void {
    if (this.#stack.length === 0) throw this.#error("the stack is empty");
    this.#memo.set(index, this.#stack.at(-1)!);
  }

  #recall(index: number): Value {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#error(`nothing was stored as ${index}`);
    return value;
  }

  #pop(): Value {
    const value = this.#stack.pop();
    if (value === undefined) throw this.#error("the stack is empty");
    return value;
  }

  #popMany(count: number): Value[] {
    if (this.#stack.length < count) throw this.#error("the stack is empty");
    return this.#stack.splice(-count);
  }

  #popToMark(): Value[] {
    const outer = this.#outer.pop();
    if (outer === undefined) throw this.#error("a mark is missing");
    const items = this.#stack;
    this.#stack = outer;
    return items;
  }

  /** Counts objects: each takes a hundred times the memory of the opcode that makes it. */
  #made<T extends Value>(value: T): T {
    if (++this.#objects > MAX_OBJECTS) throw this.#error(`more than ${MAX_OBJECTS} objects`);
    return value;
  }

  #int(length: number): number | bigint {
    if (length > MAX_INT_BYTES) throw this.#error(`an int of ${length} bytes`);
    if (length === 0) return 0;
    const hex = Buffer.from(this.#take(length)).reverse().toString("hex");
    const int = BigInt.asIntN(length * 8, BigInt(`0x${hex}`));
    const number = Number(int);
    return Number.isSafeInteger(number) ? number : int;
  }

  #text(lengthBytes: 1 | 4 | 8): string {
    return this.#take(this.#length(lengthBytes)).toString("utf8");
  }

  #length(bytes: 1 | 4 | 8): number {
    if (bytes < 8) return this.#uint(bytes);
    const length = Number(this.#take(8).readBigUInt64LE());
    if (length > this.#bytes.length - this.#at) throw this.#ended();
    return length;
  }

  #uint(bytes: number): number {
    return this.#take(bytes).readUIntLE(0, bytes);
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.#ended();
    const line = this.#bytes.toString("utf8", this.#at, end);
    this.#at = end + 1;
    return line;
  }

  #take(length: number): Buffer {
    if (length > this.#bytes.length - this.#at) throw this.#ended();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #ended(): ImportError {
    return this.#error("it ends too early");
  }

  #error(detail: string): ImportError {
    return new ImportError(this.#options.file, `data.pkl, byte ${this.#at}: ${detail}`);
  }
}
