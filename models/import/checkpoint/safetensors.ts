import { ImportError } from "./error.js";
import { OpenFile } from "./open-file.js";
import { assertShallow } from "./shallow-json.js";
import { DTYPES, type Dtype, Tensor } from "./tensor.js";

/** The original allows 100 MB. A hundred thousand tensors with long names take a tenth of that. */
const MAX_HEADER = 16 << 20;
const MAX_TENSORS = 100_000;
const LENGTH_BYTES = 8;
/** More than any tensor has; `Tensor` has a limit of its own. */
const MAX_AXES = 64;
/** Header, tensor, shape. */
const MAX_NESTING = 3;

const DTYPE_NAMES: Readonly<Record<string, Dtype>> = {
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  F64: "float64",
  I8: "int8",
  U8: "uint8",
  I16: "int16",
  U16: "uint16",
  I32: "int32",
  U32: "uint32",
  I64: "int64",
  U64: "uint64",
  BOOL: "bool",
  C64: "complex64",
};

export interface OpenSafetensors {
  readonly file: string;
  /** In the order of their data. */
  readonly tensors: Map<string, Tensor>;
  /** No tensor can be read afterwards. */
  close(): Promise<void>;
}

/** A tensor's place, in bytes from the end of the header. */
interface Entry {
  name: string;
  dtype: Dtype;
  shape: number[];
  begin: number;
  end: number;
}

/**
 * Opens a safetensors file: reads the header, and checks it as the original does. The tensors' data must fill the rest
 * of the file without holes and overlaps.
 * @throws ImportError
 */
export async function openSafetensors(file: string): Promise<OpenSafetensors> {
  const open = await OpenFile.open(file);
  try {
    const length = await headerLength(open);
    const header = Buffer.alloc(length);
    await open.read(LENGTH_BYTES, header, "header");
    const entries = readHeader(file, header);
    const start = LENGTH_BYTES + length;
    assertFilled(file, entries, open.size - start);
    const tensors = new Map(
      entries.map(({ name, dtype, shape, begin, end }) => {
        const bytes = open.section(name, start + begin, end - begin);
        return [name, Tensor.whole(bytes, dtype, shape)];
      }),
    );
    return { file, tensors, close: () => open.close() };
  } catch (error) {
    await open.close();
    throw error;
  }
}

async function headerLength(open: OpenFile): Promise<number> {
  if (open.size <= LENGTH_BYTES)
    throw new ImportError(open.file, `expected a safetensors file, got one of ${open.size} bytes`);
  const field = Buffer.alloc(LENGTH_BYTES);
  await open.read(0, field, "header");
  const length = field.readBigUInt64LE();
  if (length > MAX_HEADER)
    throw new ImportError(open.file, `expected a header of at most ${MAX_HEADER} bytes, got ${length}`);
  if (Number(length) > open.size - LENGTH_BYTES)
    throw new ImportError(
      open.file,
      `expected a header of ${length} bytes, but the file has only ${open.size - LENGTH_BYTES} left; is it truncated?`,
    );
  return Number(length);
}

function readHeader(file: string, header: Buffer): Entry[] {
  const fields = parse(file, header);
  const entries: Entry[] = [];
  for (const [name, value] of Object.entries(fields)) {
    if (name === "__metadata__") {
      assertMetadata(file, value);
      continue;
    }
    if (entries.length === MAX_TENSORS)
      throw new ImportError(file, `expected at most ${MAX_TENSORS} tensors in the header, got more`);
    entries.push(readEntry(file, name, value));
  }
  return entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
}

function parse(file: string, header: Buffer): Record<string, unknown> {
  let fields: unknown;
  try {
    // The original takes nothing before the brace, so that the header is one thing only.
    if (header[0] !== 0x7b) throw new SyntaxError("it doesn't begin with {");
    assertShallow(header, MAX_NESTING);
    fields = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(header));
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : "it isn't UTF-8";
    throw new ImportError(file, `expected a header of JSON, got something else (${reason})`);
  }
  return fields as Record<string, unknown>;
}

function assertMetadata(file: string, value: unknown): void {
  const isMetadata = isObject(value) && Object.values(value).every((text) => typeof text === "string");
  if (!isMetadata) throw new ImportError(file, 'expected "__metadata__" in the header to hold texts');
}

function readEntry(file: string, name: string, value: unknown): Entry {
  const wrong = (expected: string) => new ImportError(file, `expected ${expected} for the tensor "${name}"`);
  if (!isObject(value)) throw wrong("an object");
  const { dtype: code, shape, data_offsets: offsets, ...others } = value;
  const extra = Object.keys(others)[0];
  if (extra !== undefined) throw wrong(`no field "${extra}"`);
  const dtype = typeof code === "string" && Object.hasOwn(DTYPE_NAMES, code) ? DTYPE_NAMES[code] : undefined;
  if (dtype === undefined)
    throw wrong(`one of the dtypes ${Object.keys(DTYPE_NAMES).join(", ")}, not ${show(code)},`);
  if (!isCounts(shape) || shape.length > MAX_AXES) throw wrong("a shape of whole numbers");
  if (!isCounts(offsets) || offsets.length !== 2) throw wrong("two data_offsets");
  const [begin, end] = offsets as [number, number];
  const size = shape.reduce((product, axis) => product * axis, DTYPES[dtype]);
  if (begin > end || end - begin !== size)
    throw wrong(`${size} bytes (${code}, shape [${shape.join(", ")}]), not bytes ${begin} to ${end},`);
  return { name, dtype, shape, begin, end };
}

/** Without this, two tensors could share data, or a file could hide some. */
function assertFilled(file: string, entries: readonly Entry[], size: number): void {
  let at = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== at)
      throw new ImportError(
        file,
        `expected the data of "${name}" to begin at byte ${at}, where the data before it ends, got ${begin}`,
      );
    at = end;
  }
  if (at === size) return;
  const hint = at > size ? "; is it truncated?" : "";
  throw new ImportError(file, `expected ${at} bytes of data behind the header, got ${size}${hint}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function show(value: unknown): string {
  if (value === undefined) return "none";
  return typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : `a ${typeof value}`;
}
