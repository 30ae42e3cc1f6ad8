import { ImportError } from "./error.js";
import { numpyGlobals } from "./numpy.js";
import { DTYPES, type Dtype, Storage, Tensor } from "./tensor.js";
import { Global, Instance, PythonSet, Tuple, type Value } from "./values.js";

export const STORAGE_TYPES: Readonly<Record<string, Dtype>> = {
  "torch.FloatStorage": "float32",
  "torch.HalfStorage": "float16",
  "torch.BFloat16Storage": "bfloat16",
  "torch.DoubleStorage": "float64",
  "torch.CharStorage": "int8",
  "torch.ByteStorage": "uint8",
  "torch.ShortStorage": "int16",
  "torch.IntStorage": "int32",
  "torch.LongStorage": "int64",
  "torch.BoolStorage": "bool",
  "torch.ComplexFloatStorage": "complex64",
  "torch.ComplexDoubleStorage": "complex128",
};

/** Bytes that calls may make of a file's texts. A text is stored once and can be used a million times. */
const MAX_ENCODED = 64 << 20;
const MAX_PATH = 4096;
/** A longer tuple is not looked through, since a call of it can be repeated, too. */
const MAX_ITEMS = 64;

const PLAIN_TYPES = [
  "bool",
  "bytes",
  "complex",
  "dict",
  "float",
  "int",
  "list",
  "object",
  "str",
  "tuple",
  "type",
];
/** PyTorch's constants and classes that are not called. */
const TORCH_NAMES = ["Tensor", "strided", "contiguous_format", "preserve_format", "channels_last"];
const PATHS = ["Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath"];

type Call = (args: readonly Value[]) => Value | undefined;

/**
 * All globals that tensors and plain values of Python, PyTorch and NumPy use. The functions are ours, and only put
 * values together. None copies what it gets, since a file can repeat a call a million times.
 */
export function knownGlobals(file: string): ReadonlyMap<string, Global> {
  const globals = new Map<string, Global>();
  const callable = ([name, call]: [name: string, call: Call]) =>
    globals.set(
      name,
      new Global(name, (args) => {
        const value = call(args);
        if (value !== undefined) return value;
        throw new ImportError(file, `data.pkl calls ${name} with other arguments than torch does`);
      }),
    );
  for (const entry of [...torchCalls(globals), ...pythonCalls(globals), ...numpyGlobals()]) callable(entry);
  const constants = [...Object.keys(DTYPES), "float8_e4m3fn", "float8_e5m2", ...TORCH_NAMES].map(
    (name) => `torch.${name}`,
  );
  for (const name of [...Object.keys(STORAGE_TYPES), ...constants, "numpy.ndarray"])
    globals.set(name, new Global(name));
  return globals;
}

function torchCalls(globals: ReadonlyMap<string, Global>): [string, Call][] {
  const rebuild: Call = ([storage, offset, size, stride]) => {
    const shape = counts(size);
    const strides = counts(stride);
    if (!(storage instanceof Storage) || !isCount(offset) || !shape || !strides) return undefined;
    return new Tensor(storage, offset, shape, strides);
  };
  const tensor: Call = ([data]) => (data instanceof Tensor ? data : undefined);
  const text: Call = ([name]) => (typeof name === "string" ? name : undefined);
  return [
    ["torch._utils._rebuild_tensor_v2", rebuild],
    ["torch._utils._rebuild_tensor", rebuild],
    ["torch._utils._rebuild_parameter", tensor],
    ["torch._utils._rebuild_parameter_with_state", tensor],
    // A tensor with attributes of its own: a function of those above, the tensor's class, and the arguments.
    [
      "torch._tensor._rebuild_from_type_v2",
      ([call, , args]) => {
        const isRebuild = call instanceof Global && call.name.startsWith("torch._utils._rebuild_");
        return isRebuild && args instanceof Tuple ? globals.get(call.name)?.call?.(args.items) : undefined;
      },
    ],
    ["torch.Size", ([size]) => (size instanceof Tuple ? size : undefined)],
    ["torch.device", text],
    ["torch.serialization._get_layout", text],
  ];
}

function pythonCalls(globals: Map<string, Global>): [string, Call][] {
  let encoded = 0;
  const encode: Call = ([text, name]) => {
    if (typeof text !== "string" || name !== "latin1") return undefined;
    encoded += text.length;
    // NumPy's bytes in protocol 2 are a text of code points below 256.
    if (encoded > MAX_ENCODED || /[^\0-\xff]/.test(text)) return undefined;
    return Uint8Array.from(Buffer.from(text, "latin1"));
  };
  const set: Call = ([items]) => {
    if (items === undefined) return new PythonSet([]);
    if (items instanceof Tuple) return new PythonSet(items.items as Value[]);
    return Array.isArray(items) ? new PythonSet(items) : undefined;
  };
  const path: Call = (parts) => {
    if (parts.length > MAX_ITEMS) return undefined;
    let joined = "";
    for (const part of parts) {
      if (typeof part !== "string" || joined.length + part.length > MAX_PATH) return undefined;
      joined += joined === "" || joined.endsWith("/") ? part : `/${part}`;
    }
    return joined;
  };
  /** A member of an enum, by its name. */
  const member: Call = ([type, name]) => {
    if (!(type instanceof Global) || globals.has(type.name) || typeof name !== "string") return undefined;
    return new Instance(type.name, [name], false);
  };
  const builtins = ["builtins", "__builtin__"].flatMap((module): [string, Call][] => {
    for (const type of PLAIN_TYPES) globals.set(`${module}.${type}`, new Global(`${module}.${type}`));
    return [
      [`${module}.set`, set],
      [`${module}.frozenset`, set],
      [`${module}.bytearray`, ([bytes]) => (bytes instanceof Uint8Array ? bytes : undefined)],
      [`${module}.complex`, (args) => new Instance("complex", args, false)],
      [`${module}.range`, (args) => new Instance("range", args, false)],
      [`${module}.slice`, (args) => new Instance("slice", args, false)],
      [`${module}.getattr`, member],
    ];
  });
  return [
    ...builtins,
    ["_codecs.encode", encode],
    ["types.SimpleNamespace", (args) => new Instance("types.SimpleNamespace", args, false)],
    ["collections.OrderedDict", (args) => (args.length === 0 ? new Map() : undefined)],
    ["collections.defaultdict", () => new Map()],
    [
      "collections.Counter",
      ([dict]) => (dict === undefined ? new Map() : dict instanceof Map ? dict : undefined),
    ],
    ["collections.deque", () => []],
    ...PATHS.flatMap((name): [string, Call][] => [
      [`pathlib.${name}`, path],
      [`pathlib._local.${name}`, path],
    ]),
  ];
}

function counts(value: Value | undefined): number[] | undefined {
  if (!(value instanceof Tuple) || value.items.length > MAX_ITEMS) return undefined;
  if (!value.items.every(isCount)) return undefined;
  return value.items.filter(isCount);
}

export function isCount(value: Value | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
