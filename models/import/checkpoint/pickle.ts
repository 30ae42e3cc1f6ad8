import { ImportError } from "./error.js";
import { Tensor } from "./tensor.js";
import {
  describe,
  Global,
  Instance,
  NumpyArray,
  NumpyDtype,
  PythonSet,
  Tuple,
  type Value,
} from "./values.js";

export { describe, Global, Instance, PythonSet, Tuple, type Value };

export interface PickleOptions {
  /** The file's name, for messages. */
  file: string;
  /** What the pickle may name and call. Other classes are let in as `Instance`s, which are data without code. */
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
 * Reads a pickle of plain values, tensors and other objects' data (protocols 2 to 5). There is no way from the input to
 * code: a global is looked up in `globals`. Any other becomes data, and names of modules that could do harm are refused.
 * Time and memory are linear in the input, and bounded.
 * @throws ImportError
 */
export function unpickle(bytes: Uint8Array, options: PickleOptions): Value {
  return new Unpickler(bytes, options).run();
}

/**
 * Modules whose names no checkpoint's data has. Nothing of any module is ever run; a file that names these is an attack
 * or broken, so it is refused instead of read as far as possible.
 */
const REFUSED =
  /^(?:torch$|(?:builtins|__builtin__|nt|os|posix|posixpath|ntpath|sys|subprocess|shutil|socket|pty|commands|runpy|importlib|imp|pickle|_pickle|marshal|ctypes|code|codeop|timeit|webbrowser|operator|_operator|torch\.(?:hub|jit|package|serialization|storage|_utils|_tensor))(?:\.|$))/;
const MAX_NAME = 500;
/** A dotted Python name. */
const NAME = /^[\p{L}_][\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*$/u;

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
    if (value instanceof Instance && value.called) throw this.#refused(value.type);
    return value;
  }

  /** The value that the opcode pushes; undefined for an opcode that pushes none. */
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
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.#made(Uint8Array.from(this.#take(this.#length(8))));

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
      case 0x81: // NEWOBJ
        return this.#made(this.#newObject(opcode));
      case 0x92: // NEWOBJ_EX
        return this.#made(this.#newObject(opcode));
      default:
        return this.#makeContainer(opcode);
    }
  }

  #makeContainer(opcode: number): Value | undefined {
    switch (opcode) {
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
      case 0x8f: // EMPTY_SET
        return this.#made(new PythonSet([]));
      case 0x91: // FROZENSET
        return this.#made(new PythonSet(this.#popToMark()));
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
      case 0x90: // ADDITEMS
        this.#addItems(this.#popToMark());
        break;
      case 0x30: // POP
        this.#pop();
        break;
      case 0x31: // POP_MARK
        this.#popToMark();
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
    const target = this.#stack.at(-1);
    const list = target instanceof Instance ? target.items : target;
    if (!Array.isArray(list)) throw this.#error(`expected a list to append to, got ${describe(list)}`);
    for (const item of items) list.push(item);
  }

  #setItems(items: Value[]): void {
    const target = this.#stack.at(-1);
    const dict = target instanceof Instance ? target.entries : target;
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

  #addItems(items: Value[]): void {
    const set = this.#stack.at(-1);
    if (!(set instanceof PythonSet)) throw this.#error(`expected a set to add to, got ${describe(set)}`);
    for (const item of items) set.items.push(item);
  }

  /** An unknown global can be called: the call makes an `Instance` that says what would have been called. */
  #global(module: string, name: string): Global {
    const full = `${module}.${name}`;
    const found = this.#options.globals.get(full);
    if (found !== undefined) return found;
    const isData = full.length <= MAX_NAME && NAME.test(module) && NAME.test(name) && !REFUSED.test(module);
    if (!isData) throw this.#refused(full);
    return this.#made(new Global(full, (args) => new Instance(full, args, true)));
  }

  #refused(name: string): ImportError {
    return this.#error(
      `the global "${name}" is refused, nothing was run; expected tensors and plain values only (save model.state_dict(), and a configuration as a plain dict such as vars(args))`,
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

  /** An object of a class. For an unknown class, as for a call, an `Instance` takes its place. */
  #newObject(opcode: 0x81 | 0x92): Value {
    const named = opcode === 0x92 ? this.#pop() : undefined;
    const [type, args] = this.#popMany(2);
    if (!(type instanceof Global) || !(args instanceof Tuple))
      throw this.#error(
        `the opcode 0x${opcode.toString(16)} is refused for ${describe(type)}; expected a class`,
      );
    if (this.#options.globals.get(type.name) === type) {
      if (type.call === undefined) throw this.#error(`calling ${type.name} is refused, nothing was run`);
      return type.call(args.items);
    }
    const made = new Instance(type.name, args.items, false);
    if (named !== undefined) made.setState(named);
    return made;
  }

  /** The only state in a state dict is an OrderedDict's `_metadata`: versions of modules, which nothing here needs. */
  #build(): void {
    const state = this.#pop();
    const target = this.#stack.at(-1);
    const keepsState =
      target instanceof Instance || target instanceof NumpyArray || target instanceof NumpyDtype;
    if (keepsState) {
      if (!target.setState(state))
        throw this.#error(`${describe(target)} has a state that NumPy doesn't write`);
      return;
    }
    // A Parameter's own attributes.
    if (target instanceof Tensor) return;
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
