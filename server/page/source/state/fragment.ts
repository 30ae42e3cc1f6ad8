// What is on the playground, in a URL's fragment, which browsers do not send to any server.
import { allFields } from "./fields.js";
import { type FormKind, newScreen, newTurn, type Screen } from "./screen.js";

/** Beyond this many characters the state is compressed. */
const LONG = 400;
/** Most characters of a fragment, and most bytes that it may decompress to. */
const MOST_CHARS = 100_000;
const MOST_BYTES = 1_000_000;
const MOST_TURNS = 1024;

/** @returns null if the state is too large for a link that could be read again */
export async function writeFragment(screen: Screen): Promise<string | null> {
  const { output: _, turns, numbers, ...rest } = screen;
  const start = newScreen();
  const shared = {
    ...changed(rest, start),
    numbers: changed(numbers, start.numbers),
    turns: turns.map(({ role, text }) => ({ role, text })),
  };
  const json = JSON.stringify(shared);
  const bytes = new TextEncoder().encode(json);
  if (bytes.length <= LONG) return `s=${toBase64(bytes)}`;
  if (bytes.length > MOST_BYTES || turns.length > MOST_TURNS) return null;
  const text = toBase64(await through(bytes, new CompressionStream("deflate-raw"), Number.POSITIVE_INFINITY));
  return text.length > MOST_CHARS ? null : `z=${text}`;
}

/** The fields that are not as in `start`. */
const changed = (fields: object, start: object) =>
  Object.fromEntries(
    Object.entries(fields).filter(([name, value]) => value !== (start as Record<string, unknown>)[name]),
  );

/**
 * Reads a fragment that anybody may have written: only known fields, of the right type.
 * @returns null if it holds no state
 */
export async function readFragment(fragment: string): Promise<Screen | null> {
  const [, kind, text] = /^#?([sz])=([\w-]+)$/.exec(fragment) ?? [];
  if (text === undefined || text.length > MOST_CHARS) return null;
  try {
    const bytes = fromBase64(text);
    const plain =
      kind === "s" ? bytes : await through(bytes, new DecompressionStream("deflate-raw"), MOST_BYTES);
    return validScreen(JSON.parse(new TextDecoder().decode(plain)));
  } catch {
    return null;
  }
}

function validScreen(value: unknown): Screen | null {
  if (typeof value !== "object" || value === null) return null;
  const given = value as Record<string, unknown>;
  const screen = newScreen();
  const texts = ["system", "draft", "prompt", "stop", "bias", "schema", "regex", "grammar"] as const;
  for (const name of texts) if (typeof given[name] === "string") screen[name] = given[name];
  for (const name of ["ignoreEos", "echo", "tokens"] as const)
    if (typeof given[name] === "boolean") screen[name] = given[name];
  if (given.mode === "chat" || given.mode === "completion") screen.mode = given.mode;
  const forms: readonly unknown[] = ["none", "json", "schema", "regex", "grammar"];
  if (forms.includes(given.form)) screen.form = given.form as FormKind;
  const { alternatives, numbers, turns } = given;
  if (Number.isInteger(alternatives) && Number(alternatives) >= 0 && Number(alternatives) <= 20)
    screen.alternatives = Number(alternatives);
  if (typeof numbers === "object" && numbers !== null)
    for (const { name } of allFields) {
      const text = (numbers as Record<string, unknown>)[name];
      if (typeof text === "string" && text.length <= 32) screen.numbers[name] = text;
    }
  if (Array.isArray(turns)) screen.turns = turns.slice(0, MOST_TURNS).flatMap(validTurn);
  return screen;
}

function validTurn(value: unknown) {
  const { role, text } = (value ?? {}) as Record<string, unknown>;
  if ((role !== "user" && role !== "assistant") || typeof text !== "string") return [];
  return [newTurn(role, text)];
}

async function through(
  bytes: Uint8Array<ArrayBuffer>,
  transform: CompressionStream | DecompressionStream,
  most: number,
) {
  const reader = new Blob([bytes]).stream().pipeThrough(transform).getReader();
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) throw new RangeError(`expected at most ${most} bytes`);
    pieces.push(value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (char) => char.charCodeAt(0));
}
