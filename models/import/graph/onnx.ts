import { open } from "node:fs/promises";
import { basename } from "node:path";
import { free } from "../free.js";

/** ONNX's numbers of the element types that the graph uses (`TensorProto.DataType`). */
export const ElementType = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const;
export type ElementType = keyof typeof ElementType;

const ELEMENT_BYTES: Record<ElementType, number> = { float32: 4, uint8: 1, int8: 1, int32: 4, int64: 8 };

export type Attribute = number | string | readonly number[] | { float: number };

export interface Initializer {
  name: string;
  type: ElementType;
  dims: readonly number[];
  /** Gives the values, little-endian and in row-major order, to keep or to free; called once, when they are written. */
  data(): Promise<ArrayBufferView>;
}

export interface ValueInfo {
  name: string;
  type: ElementType;
  /** A string names a dimension that varies from run to run. */
  dims: readonly (number | string)[];
}

export interface Model {
  nodes: readonly Uint8Array[];
  initializers: readonly Initializer[];
  inputs: readonly ValueInfo[];
  outputs: readonly ValueInfo[];
  opset: number;
  metadata: Readonly<Record<string, string>>;
}

/**
 * More weights than this lie in a file beside the model. The runtime maps that file, so that all sessions share it, and reads it
 * without the copies that it makes of a message. protobuf allows 2 GiB in one message at most.
 */
const EXTERNAL_DATA_BYTES = 2 ** 26;
/** Offsets in external data are multiples of this, so that the data can be mapped into memory. */
const EXTERNAL_ALIGNMENT = 4096;
/** Smaller initializers stay in the model, since shape inference reads them. */
const EXTERNAL_MINIMUM = 1024;

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

const int = (field: number, value: number) => Buffer.concat([varint(field << 3), varint(value)]);
const head = (field: number, length: number) => Buffer.concat([varint((field << 3) | 2), varint(length)]);
const bytes = (field: number, value: Uint8Array) => Buffer.concat([head(field, value.length), value]);
const text = (field: number, value: string) => bytes(field, Buffer.from(value));
const message = (field: number, ...parts: Uint8Array[]) => bytes(field, Buffer.concat(parts));

function float(field: number, value: number): Uint8Array {
  const buffer = Buffer.alloc(4);
  buffer.writeFloatLE(value);
  return Buffer.concat([varint((field << 3) | 5), buffer]);
}

function attribute(name: string, value: Attribute): Uint8Array {
  if (typeof value === "number") return message(5, text(1, name), int(3, value), int(20, 2));
  if (typeof value === "string") return message(5, text(1, name), text(4, value), int(20, 3));
  if ("float" in value) return message(5, text(1, name), float(2, value.float), int(20, 1));
  return message(5, text(1, name), ...value.map((item) => int(8, item)), int(20, 7));
}

/** A `NodeProto`; `domain` is empty for ONNX's own operators. */
export function encodeNode(
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, Attribute>>,
  domain: string,
): Uint8Array {
  return Buffer.concat([
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(3, outputs[0] ?? op),
    text(4, op),
    ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
    text(7, domain),
  ]);
}

function encodeValue(field: number, { name, type, dims }: ValueInfo): Uint8Array {
  const shape = dims.map((dim) => message(1, typeof dim === "number" ? int(1, dim) : text(2, dim)));
  return message(
    field,
    text(1, name),
    message(2, message(1, int(1, ElementType[type]), message(2, ...shape))),
  );
}

export function byteLength({ type, dims }: Initializer): number {
  return dims.reduce((product, dim) => product * dim, ELEMENT_BYTES[type]);
}

async function read(initializer: Initializer): Promise<Uint8Array> {
  const data = await initializer.data();
  const expected = byteLength(initializer);
  if (data.byteLength !== expected) {
    throw new Error(`initializer ${initializer.name}: expected ${expected} bytes, got ${data.byteLength}`);
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** An initializer's place in the written model. */
interface Placed {
  initializer: Initializer;
  /** Its `TensorProto` up to the values. */
  prefix: Buffer;
  /** Bytes of values in the model itself. */
  inline: number;
  /** Where the values begin in the file beside the model; null where they are inline. */
  offset: number | null;
}

function place(initializers: readonly Initializer[], external: boolean, location: string): Placed[] {
  let end = 0;
  return initializers.map((initializer) => {
    const { name, type, dims } = initializer;
    const length = byteLength(initializer);
    const base = [...dims.map((dim) => int(1, dim)), int(2, ElementType[type]), text(8, name)];
    const placed = (rest: Uint8Array[], inline: number, offset: number | null): Placed => {
      const tensor = Buffer.concat([...base, ...rest]);
      const prefix = Buffer.concat([head(5, tensor.length + inline), tensor]);
      return { initializer, prefix, inline, offset };
    };
    if (!external || length < EXTERNAL_MINIMUM) return placed([head(9, length)], length, null);
    const offset = Math.ceil(end / EXTERNAL_ALIGNMENT) * EXTERNAL_ALIGNMENT;
    end = offset + length;
    const entry = (key: string, value: string) => message(13, text(1, key), text(2, value));
    const place = [
      entry("location", location),
      entry("offset", String(offset)),
      entry("length", String(length)),
    ];
    return placed([...place, int(14, 1)], 0, offset);
  });
}

/** The `ModelProto` up to its graph. */
function modelHead({ opset, metadata }: Model): Buffer {
  const version = (domain: string, number: number) => message(8, text(1, domain), int(2, number));
  const properties = Object.entries(metadata).map(([key, value]) =>
    message(14, text(1, key), text(2, value)),
  );
  return Buffer.concat([
    int(1, 10),
    text(2, "jai-server"),
    version("", opset),
    version("com.microsoft", 1),
    ...properties,
  ]);
}

/**
 * Writes a `ModelProto` (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto), one initializer at a time, so that
 * no more than one of them is in memory. Models past `externalBytes` keep their weights in `<file>_data` beside them.
 */
export async function writeModel(
  file: string,
  model: Model,
  onProgress: (share: number) => void = () => {},
  externalBytes = EXTERNAL_DATA_BYTES,
): Promise<void> {
  const total = model.initializers.reduce((sum, initializer) => sum + byteLength(initializer), 0);
  const external = total > externalBytes;
  const dataFile = `${file}_data`;
  const tensors = place(model.initializers, external, basename(dataFile));
  const graphHead = Buffer.concat([...model.nodes.map((node) => bytes(1, node)), text(2, "jai")]);
  const graphTail = Buffer.concat([
    ...model.inputs.map((input) => encodeValue(11, input)),
    ...model.outputs.map((output) => encodeValue(12, output)),
  ]);
  const graphLength = tensors.reduce(
    (sum, { prefix, inline }) => sum + prefix.length + inline,
    graphHead.length + graphTail.length,
  );

  const out = await open(file, "w");
  const data = external ? await open(dataFile, "w") : undefined;
  try {
    await out.appendFile(Buffer.concat([modelHead(model), head(7, graphLength), graphHead]));
    let written = 0;
    let dataLength = 0;
    for (const { initializer, prefix, offset } of tensors) {
      const values = await read(initializer);
      await out.appendFile(prefix);
      if (offset === null) await out.appendFile(values);
      else {
        await data!.appendFile(new Uint8Array(offset - dataLength));
        await data!.appendFile(values);
        dataLength = offset + values.length;
      }
      written += values.length;
      free(values);
      onProgress(written / total);
    }
    await out.appendFile(graphTail);
  } finally {
    await out.close();
    await data?.close();
  }
}
