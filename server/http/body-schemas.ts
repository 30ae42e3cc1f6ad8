import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import { invalidBodyOf, MOST_LISTED } from "../errors/errors.js";
import { fieldError } from "../errors/field-error.js";
import { listBounds } from "./bounded-lists.js";
import { type Document, requestSchema } from "./document.js";
import { takesNumbersAsTexts } from "./lenient-numbers.js";

/** Runs before the validator and throws at the first wrong entry, so that a long list can't yield an error for each. */
type Check = (body: unknown) => void;

/**
 * Validates bodies against openapi.yaml that don't arrive in a request to their own path: the body inside a job, and a
 * body from the library. Errors read the same as those of the request validator.
 */
export class BodySchemas {
  readonly #document: Document;
  readonly #ajv = new Ajv2020({
    strict: false,
    // The tests check that the document is valid; preparing to check it takes long.
    validateSchema: false,
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
   * Validates a body of a path's POST and fills in the defaults.
   * @throws PublicError 422 with the fields that are wrong
   */
  hold(path: string, body: unknown): void {
    for (const check of this.#checksOf(path)) check(body);
    const errors = this.errors(path, body);
    if (errors.length === 0) return;
    const findings = errors
      .slice(0, MOST_LISTED)
      .map(({ instancePath, params, keyword, schema: expected, message = "" }) => ({
        path: `/body${instancePath}${params.missingProperty === undefined ? "" : `/${params.missingProperty}`}`,
        ...{ keyword, expected, message },
      }));
    const listed = findings.map((finding) => fieldError(finding, body));
    throw invalidBodyOf(listed, errors.length - listed.length);
  }

  /** Fills in the defaults of a path's POST. @returns what is wrong with the body */
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
