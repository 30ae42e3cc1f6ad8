import { type Fields, isFields, shown } from "../../../models/files/fields.js";
import { GrammarError } from "../nodes/error.js";
import type { Node, Nodes, Rule } from "../nodes/node.js";
import { FORMATS } from "./formats.js";
import { Json, type Member } from "./json.js";
import type { Bound } from "./numbers.js";
import { areDisjoint } from "./one-of.js";
import { parseRegex } from "./regex.js";

/** Keywords that say nothing about which values are valid. */
const annotations = new Set([
  ..."$schema $id $comment $defs definitions title description default examples deprecated readOnly writeOnly".split(
    " ",
  ),
  "discriminator",
]);
const keywordsOf = {
  string: ["minLength", "maxLength", "pattern", "format"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"],
  object: ["properties", "required", "additionalProperties", "minProperties", "maxProperties"],
  array: ["items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems"],
} as const;
const combining = ["$ref", "allOf", "anyOf", "oneOf", "enum", "const"];
const known = new Set<string>([
  ...annotations,
  ...combining,
  "type",
  "nullable",
  ...Object.values(keywordsOf).flat(),
]);
const types = ["string", "integer", "number", "object", "array", "boolean", "null"];
/** Nobody's context holds more; what goes beyond is a mistake or an attack. */
const MAX_COUNT = 1e9;

/**
 * JSON that satisfies a schema (draft 2020-12 or 7). Objects' members come in the order of `properties`, and others
 * only where `additionalProperties` names them or there are no `properties`. Each keyword is enforced or refused.
 * @throws GrammarError
 */
export function parseSchema(nodes: Nodes, source: string): Node {
  let schema: unknown;
  try {
    schema = JSON.parse(source);
  } catch (error) {
    throw new GrammarError(`expected a JSON schema, got: ${(error as Error).message.replace(/\s+/g, " ")}`);
  }
  return new SchemaParser(nodes, schema).node(schema, "the schema");
}

class SchemaParser {
  readonly #nodes: Nodes;
  readonly #root: unknown;
  readonly #json: Json;
  /** By the schema that is referred to. */
  readonly #rules = new Map<unknown, Rule>();

  constructor(nodes: Nodes, root: unknown) {
    this.#nodes = nodes;
    this.#root = root;
    this.#json = new Json(nodes);
  }

  /** @param place where the schema is, for messages */
  node(schema: unknown, place: string): Node {
    if (schema === true) return this.#json.any;
    if (schema === false) return this.#nodes.never;
    if (!isFields(schema)) throw new GrammarError(`expected a schema as ${place}, got ${shown(schema)}`);
    for (const name of Object.keys(schema))
      if (!known.has(name)) throw refused(`${shown(name)}, which is not supported`, place);
    if (schema.$id !== undefined && schema !== this.#root) throw refused('"$id" but at the root', place);
    const { $ref, allOf, anyOf, oneOf } = schema;
    if ($ref !== undefined) {
      this.#alone(schema, "$ref", place);
      return this.#nodes.ref(this.#reference($ref, place));
    }
    if (allOf !== undefined) {
      this.#alone(schema, "allOf", place);
      const list = this.#list(allOf, `${place}.allOf`);
      if (list.length > 1) throw refused('more than one schema in "allOf"', place);
      return this.node(list[0], `${place}.allOf[0]`);
    }
    for (const [name, options] of [
      ["anyOf", anyOf],
      ["oneOf", oneOf],
    ] as const) {
      if (options === undefined) continue;
      this.#alone(schema, name, place);
      const list = this.#list(options, `${place}.${name}`);
      if (name === "oneOf" && !areDisjoint(list, (ref) => this.#resolve(ref, place)))
        throw refused('"oneOf" whose schemas are not told apart by type or by a required constant', place);
      return this.#nodes.choice(...list.map((option, i) => this.node(option, `${place}.${name}[${i}]`)));
    }
    if (schema.enum !== undefined || schema.const !== undefined) return this.#constants(schema, place);
    return this.#nodes.choice(...this.#types(schema, place).map((type) => this.#typed(type, schema, place)));
  }

  #constants(schema: Fields, place: string): Node {
    this.#alone(schema, "enum", place, ["const", "type", "nullable"]);
    const all = schema.enum === undefined ? [schema.const] : this.#list(schema.enum, `${place}.enum`);
    const asked =
      schema.type === undefined && schema.nullable === undefined ? null : this.#types(schema, place);
    const values = all.filter((value) => {
      const fits = asked === null || asked.some((type) => typeOf(value, type));
      const isConst = schema.const === undefined || JSON.stringify(value) === JSON.stringify(schema.const);
      return fits && isConst;
    });
    const large = values.find(hasInfinity);
    if (large !== undefined) throw refused(`a number as large as ${shown(large)}`, place);
    return this.#nodes.texts(values.map((value) => JSON.stringify(value)));
  }

  /** The types that `type` asks for, or else those that the keywords are about. */
  #types(schema: Fields, place: string): string[] {
    const { type, nullable } = schema;
    if (nullable !== undefined && type === undefined) throw refused('"nullable" without "type"', place);
    if (type !== undefined) {
      const list = [...(Array.isArray(type) ? type : [type]), ...(nullable === true ? ["null"] : [])];
      for (const name of list)
        if (!types.includes(name))
          throw new GrammarError(`expected a type as ${place}.type, got ${shown(name)}`);
      // All integers are numbers.
      return list.filter(
        (name, i) => list.indexOf(name) === i && !(name === "integer" && list.includes("number")),
      );
    }
    const about = Object.entries(keywordsOf).filter(([, names]) =>
      names.some((name) => schema[name] !== undefined),
    );
    if (about.length > 0) return about.map(([name]) => name);
    return types.filter((name) => name !== "integer");
  }

  #typed(type: string, schema: Fields, place: string): Node {
    const { numbers } = this.#json;
    switch (type) {
      case "string":
        return this.#string(schema, place);
      case "integer":
        return numbers.integer(...this.#bounds(schema, place));
      case "number":
        return numbers.number(...this.#bounds(schema, place));
      case "object":
        return this.#object(schema, place);
      case "array":
        return this.#array(schema, place);
      case "boolean":
        return this.#nodes.choice(this.#nodes.text("true"), this.#nodes.text("false"));
      default:
        return this.#nodes.text("null");
    }
  }

  #string(schema: Fields, place: string): Node {
    const { pattern, format } = schema;
    const [min, max] = this.#counts(schema, "minLength", "maxLength", place);
    if (pattern === undefined && format === undefined) return this.#json.string(min, max);
    const isBounded = min > 0 || max < Number.POSITIVE_INFINITY;
    if (isBounded || (pattern !== undefined && format !== undefined))
      throw refused('more than one of "pattern", "format" and bounds of the length', place);
    const { spelling } = this.#json;
    if (pattern !== undefined) {
      if (typeof pattern !== "string")
        throw new GrammarError(`expected a string as ${place}.pattern, got ${shown(pattern)}`);
      return this.#json.quoted(parseRegex(this.#nodes, pattern, { search: true, spelling }));
    }
    const regex = Object.hasOwn(FORMATS, String(format)) ? FORMATS[String(format)] : undefined;
    if (regex === undefined)
      throw refused(`the format ${shown(format)}; supported are ${Object.keys(FORMATS).join(", ")}`, place);
    return this.#json.quoted(parseRegex(this.#nodes, regex, { search: false, spelling }));
  }

  #bounds(schema: Fields, place: string): [least: Bound | null, most: Bound | null] {
    const bound = (name: string, exclusive: boolean): Bound[] => {
      const value = schema[name];
      if (value === undefined) return [];
      if (typeof value !== "number" || !Number.isFinite(value))
        throw new GrammarError(`expected a number as ${place}.${name}, got ${shown(value)}`);
      return [{ value, exclusive }];
    };
    const stricter = (sign: number, bounds: Bound[]) =>
      bounds.sort((a, b) => sign * (b.value - a.value) || Number(b.exclusive) - Number(a.exclusive))[0] ??
      null;
    return [
      stricter(1, [...bound("minimum", false), ...bound("exclusiveMinimum", true)]),
      stricter(-1, [...bound("maximum", false), ...bound("exclusiveMaximum", true)]),
    ];
  }

  #object(schema: Fields, place: string): Node {
    const { properties = {}, required = [], additionalProperties } = schema;
    if (!isFields(properties))
      throw new GrammarError(`expected an object as ${place}.properties, got ${shown(properties)}`);
    if (!Array.isArray(required) || !required.every((name) => typeof name === "string"))
      throw new GrammarError(`expected a list of names as ${place}.required, got ${shown(required)}`);
    const names = new Set([...Object.keys(properties), ...required]);
    // Validators ignore it, because of its meaning in JavaScript.
    if (names.has("__proto__")) throw refused('the property "__proto__"', place);
    const open = Object.keys(properties).length === 0;
    const others = additionalProperties ?? (open ? true : undefined);
    const at = `${place}.additionalProperties`;
    const mandatory = new Set<string>(required);
    const members = [...names].map((name): Member => {
      const declared = Object.hasOwn(properties, name);
      const inner = declared ? properties[name] : (additionalProperties ?? true);
      const value = this.node(inner, declared ? `${place}.properties[${shown(name)}]` : at);
      return { name, value, required: mandatory.has(name) };
    });
    const [min, max] = this.#counts(schema, "minProperties", "maxProperties", place);
    const canHaveOthers = others !== undefined && others !== false;
    if (canHaveOthers && min > members.length + 1)
      throw refused(
        `"minProperties" above ${members.length + 1}, which takes names that are not declared`,
        place,
      );
    return this.#json.object({ members, others: canHaveOthers ? this.node(others, at) : null, min, max });
  }

  #array(schema: Fields, place: string): Node {
    const { items, prefixItems, additionalItems, uniqueItems } = schema;
    if (uniqueItems !== undefined && uniqueItems !== false)
      throw refused('"uniqueItems", which is not supported', place);
    const isTuple = Array.isArray(items);
    if (isTuple && prefixItems !== undefined)
      throw refused('both a list of "items" and "prefixItems"', place);
    const tuple = isTuple ? items : prefixItems;
    const first =
      tuple === undefined ? [] : this.#list(tuple, `${place}.${isTuple ? "items" : "prefixItems"}`);
    const [min, max] = this.#counts(schema, "minItems", "maxItems", place);
    const rest = isTuple ? additionalItems : items;
    // A tuple has further items only if `minItems` asks for them.
    const others = rest ?? (first.length === 0 || min > first.length);
    return this.#json.array({
      first: first.map((item, i) => this.node(item, `${place} item ${i}`)),
      others: others === false ? null : this.node(others, `${place}.items`),
      min,
      max,
    });
  }

  #counts(schema: Fields, minName: string, maxName: string, place: string): [min: number, max: number] {
    const count = (name: string, otherwise: number) => {
      const value = schema[name] ?? otherwise;
      if (value === otherwise) return otherwise;
      if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_COUNT)
        return value as number;
      throw new GrammarError(
        `expected an integer from 0 to ${MAX_COUNT} as ${place}.${name}, got ${shown(value)}`,
      );
    };
    return [count(minName, 0), count(maxName, Number.POSITIVE_INFINITY)];
  }

  #reference(ref: unknown, place: string): Rule {
    const target = this.#resolve(ref, place);
    const rule = this.#rules.get(target);
    if (rule) return rule;
    const made = this.#nodes.rule(String(ref));
    this.#rules.set(target, made);
    made.body = this.node(target, String(ref));
    return made;
  }

  #resolve(ref: unknown, place: string): unknown {
    if (typeof ref !== "string" || !/^#(\/|$)/.test(ref))
      throw new GrammarError(
        `expected a reference within the schema (#/…) as ${place}.$ref, got ${shown(ref)}`,
      );
    let target = this.#root;
    for (const part of ref.split("/").slice(1)) {
      const name = decode(part).replaceAll("~1", "/").replaceAll("~0", "~");
      const holds = (isFields(target) || Array.isArray(target)) && Object.hasOwn(target, name);
      if (!holds)
        throw new GrammarError(`expected what ${place}.$ref refers to, got nothing at ${shown(ref)}`);
      target = (target as Fields)[name];
    }
    return target;
  }

  /** Refuses keywords beside `name`: they would have to hold as well, and schemas can't be combined here. */
  #alone(schema: Fields, name: string, place: string, fine: readonly string[] = []): void {
    const beside = Object.keys(schema).find(
      (key) => key !== name && !annotations.has(key) && !fine.includes(key),
    );
    if (beside !== undefined) throw refused(`${shown(beside)} beside ${shown(name)}`, place);
  }

  #list(value: unknown, place: string): unknown[] {
    if (Array.isArray(value) && value.length > 0) return value;
    throw new GrammarError(`expected a list that is not empty as ${place}, got ${shown(value)}`);
  }
}

function refused(what: string, place: string): GrammarError {
  return new GrammarError(`expected keywords that can be enforced, got ${what}, in ${place}`);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function typeOf(value: unknown, type: string): boolean {
  if (type === "integer") return Number.isInteger(value);
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return isFields(value);
  return typeof value === type;
}

/** JSON.parse makes an infinity of a number that is too large, and JSON can't write it. */
function hasInfinity(value: unknown): boolean {
  if (value !== null && typeof value === "object") return Object.values(value).some(hasInfinity);
  return value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY;
}
