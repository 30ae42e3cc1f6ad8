import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv2020 } from "ajv/dist/2020.js";
import { mulberry32 } from "../../../models/recipe/random.js";
import { createTokenizer } from "../../../models/tokenizer/tokenizer.js";
import { randomCases } from "../../../ops/random-cases.js";
import { constraintFor } from "../fixtures/forms.js";
import { RandomSchemas } from "../fixtures/random-schema.js";
import { Wanderer } from "../fixtures/wanderer.js";

const folder = fileURLToPath(new URL("../../../../models/jai-small/", import.meta.url));
const json = (name: string) => JSON.parse(readFileSync(`${folder}${name}`, "utf8"));
const tokenizer = createTokenizer(json("tokenizer.json"), json("tokenizer_config.json"));
const model = { tokenizer, vocabulary: tokenizer.size };
const { eosId } = tokenizer;
const SCHEMAS = Number(process.env.GRAMMAR_SCHEMAS ?? randomCases(60, 300));

describe("a JSON schema", () => {
  it(`of ${SCHEMAS} at random is satisfied by all that a model without sense writes`, (context) => {
    const random = mulberry32(1);
    const schemas = new RandomSchemas(random);
    const wanderer = new Wanderer(tokenizer, eosId, random);
    let finished = 0;
    let texts = 0;
    let tokens = 0;
    for (let i = 0; i < SCHEMAS; i++) {
      const schema = schemas.next();
      const validate = new Ajv2020({ strict: false }).compile(schema);
      for (let n = 0; n < 3; n++) {
        const source = { type: "json_schema", schema: JSON.stringify(schema) } as const;
        const written = wanderer.write(constraintFor(source, model, eosId), 600);
        texts++;
        tokens += written.ids.length;
        if (!written.finished) continue;
        finished++;
        const shows = () => `${JSON.stringify(schema)}\n${written.text}\n${JSON.stringify(validate.errors)}`;
        let value: unknown;
        assert.doesNotThrow(() => {
          value = JSON.parse(written.text);
        }, shows());
        assert.ok(validate(value), shows());
      }
    }
    context.diagnostic(`${finished} of ${texts} texts finished, ${tokens} tokens`);
    assert.ok(finished > 0.8 * texts, `${finished} of ${texts}`);
  });
});
