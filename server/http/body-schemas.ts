import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { invalidBody } from "../errors/errors.js";
import { fieldError } from "../errors/field-error.js";
import { listBounds } from "./bounded-lists.js";
import { type Document, requestSchema } from "./document.js";
import { takesNumbersAsTexts } from "./lenient-numbers.js";

/** Ends a body's checks before they collect an error for each entry of a long list. */
type Check = (body: unknown) => void;

/**
 * Holds bodies to openapi.yaml where no request of their path carries them: a job's, which is for another operation, and
 * a program's own. They are judged as the validator of requests judges them, in the same words.
 */
export class BodySchemas {
  readonly #document: Document;
  readonly #ajv = new Ajv2020({
    strict: false,
    validateFormats: false,
    useDefaults: true,
    allErrors: true,
    verbose: true,
  });
  readonly #validators = new Map<string, ValidateFunction>();
  readonly #checks = new Map<string, Check[]>();

  constructor(document: Document) {
    this.#document = document;
    this.#ajv.addSchema({ ...document, $id: "openapi.json" });
  }

  /**
   * Fills the defaults of a path's POST in.
   * @throws PublicError 422 with the fields that are wrong
   */
  hold(path: string, body: unknown): void {
    for (const check of this.#checksOf(path)) check(body);
    const errors = this.errors(path, body);
    if (errors.length === 0) return;
    const findings = errors.map(({ instancePath, params, keyword, schema: expected, message = "" }) => ({
      path: `/body${instancePath}${params.missingProperty === undefined ? "" : `/${params.missingProperty}`}`,
      ...{ keyword, expected, message },
    }));
    throw invalidBody(...findings.map((finding) => fieldError(finding, body)));
  }

  /** Fills the defaults of a path's POST in, and says what is wrong. */
  errors(path: string, body: unknown): ErrorObject[] {
    const validate = this.#validator(path);
    return validate(body) ? [] : validate.errors!;
  }

  #validator(path: string): ValidateFunction {
    const known = this.#validators.get(path);
    if (known) return known;
    const schema = requestSchema(this.#document, path);
    const name = Object.entries(this.#document.components.schemas).find(([, one]) => one === schema)?.[0];
    const validate = this.#ajv.getSchema(`openapi.json#/components/schemas/${name}`);
    if (validate === undefined) throw new Error(`expected a body that openapi.yaml names for ${path}`);
    this.#validators.set(path, validate);
    return validate;
  }

  #checksOf(path: string): Check[] {
    const known = this.#checks.get(path);
    if (known) return known;
    const checks = [takesNumbersAsTexts(this.#document, path), listBounds(this.#document, path)];
    this.#checks.set(path, checks);
    return checks;
  }
}
