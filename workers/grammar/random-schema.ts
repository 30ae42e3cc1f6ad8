/** Schemas for tests, drawn from a seed: everything that is supported, in all mixtures, and satisfiable. */
export class RandomSchemas {
  readonly #random: () => number;
  #definitions: string[] = [];

  /** @param random numbers in [0, 1) */
  constructor(random: () => number) {
    this.#random = random;
  }

  next(): Record<string, unknown> {
    this.#definitions = Array.from({ length: this.#upTo(2) }, (_, i) => `part${i}`);
    const names = [...this.#definitions];
    const root = this.#schema(3);
    // A definition refers to later ones, or through something that may be left out: no value would satisfy it else.
    const definitions = names.map((name, i) => {
      this.#definitions = names.slice(i + 1);
      const own = this.#schema(1);
      const again = {
        type: "object",
        properties: { again: { $ref: `#/$defs/${name}` }, own },
        required: ["own"],
      };
      return [name, this.#chance(0.5) ? { ...again, additionalProperties: false } : own];
    });
    return names.length === 0 ? root : { ...root, $defs: Object.fromEntries(definitions) };
  }

  #schema(depth: number): Record<string, unknown> {
    const leaves = [this.#string, this.#integer, this.#number, this.#constants, this.#plain, this.#pattern];
    const branches = [this.#object, this.#object, this.#array, this.#tuple, this.#anyOf, this.#oneOf];
    if (this.#definitions.length > 0 && this.#chance(0.15))
      return { $ref: `#/$defs/${this.#pick(this.#definitions)}` };
    if (depth === 0 || this.#chance(0.35)) return this.#pick(leaves).call(this);
    return this.#pick(branches).call(this, depth - 1);
  }

  #object(depth: number): Record<string, unknown> {
    const names = this.#some(
      ["name", "na", "이름", 'say "hi"', "a\\b", "", "x", "long name", "tab\t", "😀"],
      5,
    );
    const properties = Object.fromEntries(names.map((name) => [name, this.#schema(depth)]));
    const required = names.filter(() => this.#chance(0.5));
    const schema: Record<string, unknown> = { type: "object", properties, required };
    const kind = this.#upTo(3);
    if (kind === 0) schema.additionalProperties = false;
    if (kind === 1) schema.additionalProperties = this.#schema(0);
    if (kind === 2) schema.additionalProperties = true;
    if (this.#chance(0.3)) schema.maxProperties = required.length + this.#upTo(3);
    if (this.#chance(0.3)) schema.minProperties = Math.min(required.length + this.#upTo(1), names.length);
    if ((schema.maxProperties as number) < (schema.minProperties as number)) delete schema.maxProperties;
    if (this.#chance(0.2)) {
      schema.nullable = true;
    }
    return schema;
  }

  #array(depth: number): Record<string, unknown> {
    const minItems = this.#upTo(3);
    return {
      type: "array",
      items: this.#schema(depth),
      ...(this.#chance(0.5) && { minItems }),
      ...(this.#chance(0.7) && { maxItems: minItems + this.#upTo(4) }),
    };
  }

  #tuple(depth: number): Record<string, unknown> {
    const prefixItems = Array.from({ length: 1 + this.#upTo(2) }, () => this.#schema(depth));
    const minItems = this.#upTo(prefixItems.length);
    const items = this.#pick([false, true, this.#schema(0)]);
    return { type: "array", prefixItems, items, minItems, maxItems: prefixItems.length + this.#upTo(2) };
  }

  #anyOf(depth: number): Record<string, unknown> {
    return { anyOf: Array.from({ length: 1 + this.#upTo(2) }, () => this.#schema(depth)) };
  }

  #oneOf(depth: number): Record<string, unknown> {
    const options = ["circle", "square", "네모"].map((kind) => ({
      type: "object",
      properties: { kind: { const: kind }, value: this.#schema(depth) },
      required: ["kind", "value"],
      additionalProperties: false,
    }));
    return {
      oneOf: this.#chance(0.5) ? options : [options[0], { type: "integer" }, { type: ["string", "null"] }],
    };
  }

  #string(): Record<string, unknown> {
    const minLength = this.#upTo(4);
    const schema: Record<string, unknown> = { type: this.#chance(0.2) ? ["string", "null"] : "string" };
    if (this.#chance(0.5)) schema.minLength = minLength;
    if (this.#chance(0.8)) schema.maxLength = minLength + this.#upTo(6);
    return schema;
  }

  #pattern(): Record<string, unknown> {
    const pattern = this.#pick([
      "^[a-z]{2,4}$",
      "^\\d{3}-\\d{4}$",
      "[가-힣]+",
      "^(a|b|\\\\)*c$",
      "^x|y$",
      '^"[^"\\n]{0,3}"$',
      "a.c",
      "^\\s?[\\w.]+@\\w+$",
    ]);
    return { type: "string", pattern };
  }

  #integer(): Record<string, unknown> {
    const low = Math.floor((this.#random() - 0.5) * 10 ** this.#upTo(6));
    const high = low + Math.floor(this.#random() * 10 ** this.#upTo(6));
    return { type: "integer", ...this.#bounds(low, high + 2) };
  }

  #number(): Record<string, unknown> {
    const decimals = this.#upTo(4);
    const rounded = (value: number) => Number(value.toFixed(decimals));
    const low = rounded((this.#random() - 0.5) * 10 ** this.#upTo(4));
    const high = rounded(low + 10 ** -decimals + this.#random() * 10 ** this.#upTo(3));
    return { type: "number", ...this.#bounds(low, high) };
  }

  #bounds(low: number, high: number): Record<string, unknown> {
    return {
      ...(this.#chance(0.6) && { [this.#pick(["minimum", "exclusiveMinimum"])]: low }),
      ...(this.#chance(0.6) && { [this.#pick(["maximum", "exclusiveMaximum"])]: high }),
    };
  }

  #constants(): Record<string, unknown> {
    const values = [
      "red",
      "re",
      "빨강",
      'a "b"',
      "",
      7,
      -1.5,
      true,
      null,
      [1, { a: [] }],
      { b: "c", d: null },
    ];
    return this.#chance(0.3)
      ? { const: this.#pick(values) }
      : { enum: [this.#pick(values), ...this.#some(values, 4)] };
  }

  #plain(): Record<string, unknown> {
    return this.#pick([
      {},
      { type: "boolean" },
      { type: "null" },
      { type: ["integer", "boolean"] },
      { type: "object" },
      { type: "array" },
      { type: "object", additionalProperties: { type: "integer" }, minProperties: 1 },
      { description: "anything", title: "Any", default: 1 },
    ]);
  }

  #some<T>(values: readonly T[], most: number): T[] {
    const picked = values.filter(() => this.#chance(most / values.length / 1.5));
    return picked.slice(0, most);
  }

  #pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random() * values.length)]!;
  }

  /** From 0 to `most`. */
  #upTo(most: number): number {
    return Math.floor(this.#random() * (most + 1));
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }
}
