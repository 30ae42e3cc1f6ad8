import { half } from "./tensor.js";
import { Global, NumpyArray, NumpyDtype, Tuple, type Value } from "./values.js";

/** Names of NumPy 1 and 2. */
const MODULES = ["numpy.core", "numpy._core"];

/** What NumPy's values call when they are unpickled. */
export function numpyGlobals(): [name: string, call: (args: readonly Value[]) => Value | undefined][] {
  const reconstruct = ([type]: readonly Value[]) => (type instanceof Global ? new NumpyArray() : undefined);
  const fromBuffer = ([data, dtype, shape]: readonly Value[]) => {
    const array = new NumpyArray();
    return array.setState(new Tuple([1, shape ?? null, dtype ?? null, false, data ?? null]))
      ? array
      : undefined;
  };
  return [
    ["numpy.dtype", ([code]) => (typeof code === "string" ? new NumpyDtype(code) : undefined)],
    ...MODULES.flatMap((module): [string, (args: readonly Value[]) => Value | undefined][] => [
      [`${module}.multiarray.scalar`, scalar],
      [`${module}.multiarray._reconstruct`, reconstruct],
      [`${module}.numeric._frombuffer`, fromBuffer],
    ]),
  ];
}

/** A number, bool or str. For what has no plain value, such as a date, the bytes themselves. */
function scalar([dtype, data]: readonly Value[]): Value | undefined {
  if (!(dtype instanceof NumpyDtype)) return undefined;
  if (!(data instanceof Uint8Array)) return data ?? undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const [, kind, digits] = /^([fiubU])(\d{1,2})$/.exec(dtype.code) ?? [];
  if (kind === undefined) return data;
  const little = dtype.order === "<";
  const size = Number(digits) * (kind === "U" ? 4 : 1);
  if (data.length !== size) return undefined;
  if (kind === "U") return text(view, little);
  if (kind === "b") return size === 1 ? view.getUint8(0) !== 0 : undefined;
  return kind === "f" ? float(view, little) : int(view, little, kind === "i");
}

function float(view: DataView, little: boolean): Value | undefined {
  switch (view.byteLength) {
    case 2:
      return half(view.getUint16(0, little));
    case 4:
      return view.getFloat32(0, little);
    case 8:
      return view.getFloat64(0, little);
    default:
      return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  }
}

function int(view: DataView, little: boolean, signed: boolean): Value | undefined {
  const bits = view.byteLength * 8;
  if (bits > 64) return undefined;
  let value = 0n;
  for (let at = 0; at < view.byteLength; at++)
    value = (value << 8n) | BigInt(view.getUint8(little ? view.byteLength - 1 - at : at));
  const wide = signed ? BigInt.asIntN(bits, value) : value;
  const number = Number(wide);
  return Number.isSafeInteger(number) ? number : wide;
}

/** UTF-32, padded with zeros. */
function text(view: DataView, little: boolean): string | undefined {
  let out = "";
  for (let at = 0; at < view.byteLength; at += 4) {
    const point = view.getUint32(at, little);
    if (point === 0) break;
    if (point > 0x10ffff) return undefined;
    out += String.fromCodePoint(point);
  }
  return out;
}
