import { isFields } from "../../../models/files/fields.js";
import { GrammarError } from "../nodes/error.js";

/** Cap on a chain of references. No schema that a person writes has one as long. */
const MAX_REFERENCES = 32;

/** Cap on the schemas, since each is compared with each other. */
const MAX_SCHEMAS = 64;

/** Whether no value can satisfy two of the schemas: by their types, their constants, or a required property's. */
export function areDisjoint(schemas: readonly unknown[], resolve: (ref: unknown) => unknown): boolean {
  if (schemas.length > MAX_SCHEMAS)
    throw new GrammarError(`expected at most ${MAX_SCHEMAS} schemas in "oneOf", got ${schemas.length}`);
  const followed = schemas.map((schema) => {
    let target = schema;
    for (let i = 0; i < MAX_REFERENCES && isFields(target) && target.$ref !== undefined; i++)
      target = resolve(target.$ref);
    return target;
  });
  return followed.every((a, i) => followed.slice(i + 1).every((b) => differ(a, b)));
}

function differ(a: unknown, b: unknown): boolean {
  if (!isFields(a) || !isFields(b)) return a === false || b === false;
  if (a.nullable === true && b.nullable === true) return false;
  const [typesOfA, typesOfB] = [types(a), types(b)];
  if (typesOfA && typesOfB && !typesOfA.some((type) => typesOfB.includes(type))) return true;
  const [constantsOfA, constantsOfB] = [constants(a), constants(b)];
  if (constantsOfA && constantsOfB && !constantsOfA.some((value) => constantsOfB.includes(value)))
    return true;
  if (typesOfA?.join() !== "object" || typesOfB?.join() !== "object") return false;
  const ofB = required(b);
  return [...required(a)].some((name) => ofB.has(name) && differ(property(a, name), property(b, name)));
}

function types(schema: Record<string, unknown>): unknown[] | null {
  const { type, nullable } = schema;
  const list = Array.isArray(type) ? [...type] : type === undefined ? null : [type];
  if (nullable === true) list?.push("null");
  return list?.map((name) => (name === "integer" ? "number" : name)) ?? null;
}

/** The constants as JSON; null if one of them could be written in another way. */
function constants(schema: Record<string, unknown>): string[] | null {
  const list = schema.const === undefined ? schema.enum : [schema.const];
  if (!Array.isArray(list) || schema.nullable === true) return null;
  return list.every((value) => value === null || typeof value !== "object")
    ? list.map((value) => JSON.stringify(value))
    : null;
}

/** As a set: a name that comes twice would double the comparisons at each level. */
function required(schema: Record<string, unknown>): Set<unknown> {
  return new Set(Array.isArray(schema.required) ? schema.required : []);
}

function property(schema: Record<string, unknown>, name: unknown): unknown {
  const { properties } = schema;
  return isFields(properties) && Object.hasOwn(properties, String(name))
    ? properties[String(name)]
    : undefined;
}
