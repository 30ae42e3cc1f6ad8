import type { ErrorObject } from "ajv/dist/2020.js";
import { BodySchemas } from "../../http/body-schemas.js";
import { bodyProperties, type Document } from "../../http/document.js";
import { JaiError } from "../error.js";
import type { GenerateOptions } from "../generate-options.js";
import { camelCase, snakeCase } from "./camel-case.js";
import { shown } from "./shown.js";

/** Options that are no fields of the body. */
const own: readonly string[] = ["chat", "signal"] satisfies (keyof GenerateOptions)[];

type Fields = Record<string, unknown>;

/** Turns options into bodies of `POST /generate`, validates them against openapi.yaml and fills in its defaults. */
export class GenerateBodies {
  readonly #schemas: BodySchemas;
  /** Known options, in camel case. */
  readonly #names: readonly string[];
  readonly #timeouts: readonly string[];

  constructor(document: Document) {
    this.#schemas = new BodySchemas(document);
    const properties = bodyProperties(document, "/generate");
    this.#names = [...fieldNames(properties).filter((name) => name !== "stream"), ...own];
    this.#timeouts = fieldNames(properties.timeout!.properties!);
  }

  /** @throws JaiError that says which option is wrong, what was expected and what came */
  make(options: GenerateOptions): object {
    const { chat, signal, timeout, ...others } = fieldsOf(options, this.#names);
    if (chat !== undefined && typeof chat !== "boolean") throw invalid("chat", "true or false", chat);
    if (signal !== undefined && !(signal instanceof AbortSignal))
      throw invalid("signal", "an AbortSignal", signal);
    const body = renamed(others);
    if (timeout !== undefined)
      body.timeout = isObject(timeout) ? renamed(fieldsOf(timeout, this.#timeouts, "timeout.")) : timeout;
    const [error] = this.#schemas.errors("/generate", body);
    if (error) throw invalidField(error);
    return body;
  }
}

const fieldNames = (properties: object) => Object.keys(properties).map(camelCase);

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The options that aren't undefined. @throws JaiError for one that is not in `names` */
function fieldsOf(options: unknown, names: readonly string[], prefix = ""): Fields {
  if (!isObject(options)) throw invalid("options", "an object", options);
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  for (const [name] of given)
    if (!names.includes(name))
      throw new JaiError(
        "invalid_options",
        `unknown option "${prefix}${name}": expected one of ${names.join(", ")}`,
      );
  return Object.fromEntries(given);
}

const renamed = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [snakeCase(name), value]));

function invalidField({ instancePath, keyword, params, message, data }: ErrorObject): JaiError {
  const path = instancePath.split("/").slice(1).map(camelCase);
  switch (keyword) {
    case "required":
      return invalid([...path, camelCase(params.missingProperty)].join("."), "a value", undefined);
    case "type":
      return invalid(path.join("."), typeWords([params.type].flat()), data);
    case "minimum":
      return invalid(path.join("."), `at least ${params.limit}`, data);
    case "maximum":
      return invalid(path.join("."), `at most ${params.limit}`, data);
    case "exclusiveMinimum":
      return invalid(path.join("."), `more than ${params.limit}`, data);
    case "enum":
      return invalid(path.join("."), `one of ${params.allowedValues.join(", ")}`, data);
    case "minLength":
    case "maxLength": {
      const bound = keyword === "minLength" ? "at least" : "at most";
      const text = `expected ${bound} ${params.limit} characters, got ${[...(data as string)].length}`;
      return new JaiError("invalid_options", `${path.join(".")}: ${text}`);
    }
    default:
      return new JaiError("invalid_options", `${path.join(".")}: ${message}`);
  }
}

/** JSON types in words, like "a text or a list". */
function typeWords(types: string[]): string {
  const words: Record<string, string> = {
    string: "a text",
    number: "a number",
    integer: "an integer",
    boolean: "true or false",
    array: "a list",
    object: "an object",
  };
  return types
    .filter((type) => type !== "null")
    .map((type) => words[type] ?? type)
    .join(" or ");
}

function invalid(name: string, expected: string, got: unknown): JaiError {
  return new JaiError("invalid_options", `${name}: expected ${expected}, got ${shown(got)}`);
}
