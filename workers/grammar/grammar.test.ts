import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { byteTokenizer } from "../../models/fixtures/model.js";
import { byteLevelTokenizer, whitespaceTokenizer } from "../../models/fixtures/tokenizers.js";
import { mulberry32 } from "../../models/recipe/random.js";
import { createTokenizer } from "../../models/tokenizer/tokenizer.js";
import { encode } from "./compiled.js";
import { formOf } from "./compiler.js";
import { checkGrammar, constraintFor } from "./fixtures/forms.js";
import { allowedTokens, Wanderer } from "./fixtures/wanderer.js";
import { GrammarError } from "./nodes/error.js";
import { Programs } from "./programs.js";
import type { GrammarSource } from "./source.js";

const tokenizer = createTokenizer(byteTokenizer(), { eos_token: "[EOS]" });
const eosId = tokenizer.eosId!;
const model = { tokenizer, vocabulary: tokenizer.size };

const regex = (pattern: string): GrammarSource => ({ type: "regex", pattern });
const ebnf = (...rules: string[]): GrammarSource => ({ type: "grammar", ebnf: rules.join("\n") });
const schema = (value: unknown): GrammarSource => ({ type: "json_schema", schema: JSON.stringify(value) });
const jsonObject: GrammarSource = { type: "json_object" };

/** Whether a text, written byte by byte, is whole by the grammar. */
function matches(source: GrammarSource, text: string): boolean {
  const constraint = constraintFor(source, model, eosId);
  for (const token of Buffer.from(text)) {
    if (!allowedTokens(constraint).includes(token)) return false;
    constraint.accept(token);
  }
  return allowedTokens(constraint).includes(eosId);
}

function refuses(source: GrammarSource, message: RegExp): void {
  assert.throws(
    () => checkGrammar(source, model),
    (error) => error instanceof GrammarError && message.test(error.message) && !error.message.includes("\n"),
    JSON.stringify(source).slice(0, 100),
  );
}

describe("a regular expression", () => {
  const patterns = [
    "a{3}",
    "a{2,}",
    "(a|ab)(c|bcd)(d*)",
    "^(정규직|계약직)$",
    "[가-힣]{2,3}",
    "[^a-c]+",
    "x?y*?z+",
    "\\d{2}-\\w\\s\\S\\D",
    "[\\w.-]+@[a-z]{2}",
    "a.c",
    "(?:a|b){0,2}(?<name>c)",
    "\\u00e9|\\u{1F600}|\\x41|\\ud83d\\ude01",
    "[\\]\\\\^-]+",
    "(a*)*b",
    "((a?){3}b?)*",
    "|a",
    "",
    "^a|b$",
    "\\/\\.\\*\\t\\n",
    "[\\s\\S]",
    "\\cJ\\0",
  ];
  const texts = [
    ..."a aa aaa aaaa ab abcd abcbcd ac bcd 정규직 계약직 정 한국 한국어 대한민국 abc xyz d dd yz z xz yyzz".split(
      " ",
    ),
    ..."12-a! x@kr a.b@kr @kr a.c abc acc c ac bc abc aac bbbc é 😀 😁 A ]\\^- b aab aaab aabaab é".split(
      " ",
    ),
    ...["12-a !b", "12-_\té!", "a\nc", "a\u2028c", "", "/.*\t\n", "\n", "\n\0", "\0", "한", "😀😀", "가a"],
  ];

  it("allows the texts that the language's own engine says match, and no others", () => {
    for (const pattern of patterns) {
      const whole = new RegExp(`^(?:${pattern})$`, "u");
      for (const text of texts)
        assert.equal(
          matches(regex(pattern), text),
          whole.test(text),
          `${pattern} with ${JSON.stringify(text)}`,
        );
    }
  });

  it("is followed by a model without sense", () => {
    const wanderer = new Wanderer(tokenizer, eosId, mulberry32(3));
    let finished = 0;
    for (const pattern of patterns) {
      for (let n = 0; n < 20; n++) {
        const written = wanderer.write(constraintFor(regex(pattern), model, eosId), 100);
        if (!written.finished) continue;
        finished++;
        assert.match(written.text, new RegExp(`^(?:${pattern})$`, "u"));
      }
    }
    assert.ok(finished > 200, `${finished}`);
  });

  it("is looked for anywhere in a string as the pattern of a schema", () => {
    for (const pattern of ["b", "^a", "a$", "^a|b$", '"\\\\', "^$"])
      for (const text of ["b", "abc", "a", "ba", '"\\', "", "x\ny"])
        assert.equal(
          matches(schema({ type: "string", pattern }), JSON.stringify(text)),
          new RegExp(pattern, "u").test(text),
          `${pattern} with ${JSON.stringify(text)}`,
        );
  });

  it("is refused with a reason if it is wrong or not supported", () => {
    refuses(regex("(a"), /Unterminated group/);
    refuses(regex("(a|a)*{1000}"), /Nothing to repeat/);
    refuses(regex("(a)\\1"), /references to groups/);
    refuses(regex("a(?=b)"), /groups that begin with/);
    refuses(regex("(?<!b)a"), /looking behind/);
    refuses(regex("\\bword"), /word boundaries/);
    refuses(regex("\\p{L}"), /Unicode properties/);
    refuses(regex("a^b"), /\^ elsewhere/);
    refuses(regex("[]a"), /some text satisfies/);
  });
});

describe("a grammar in EBNF", () => {
  const arithmetic = ebnf(
    "# sums",
    "root ::= expression",
    'expression ::= term (("+" | "-") term)*',
    'term ::= [0-9]+ | "(" expression ")"',
  );

  it("allows what its rules do", () => {
    for (const text of ["1", "1+2", "(1+(22-3))-4"]) assert.ok(matches(arithmetic, text), text);
    for (const text of ["", "+", "1+", "(1", "1)", "1 + 2"]) assert.ok(!matches(arithmetic, text), text);
    const others = ebnf(
      'root ::= a-b{2,3} [^a-z\\]] . "\\"\\x41\\uD55C" end?',
      'a-b ::= "x" |',
      '  "yy"',
      'end ::= ("!" | )',
    );
    for (const text of ['xx9é"A한', 'xyyx9é"A한!', 'yyyyA\n"A한']) assert.ok(matches(others, text), text);
    for (const text of ['x9é"A한', 'xxxx9é"A한', 'xx]é"A한', 'xxaé"A한'])
      assert.ok(!matches(others, text), text);
  });

  it("may go on to the right without end, and match what is nested", () => {
    const list = ebnf('root ::= [a-z] root | "."');
    assert.ok(matches(list, `${"ab".repeat(3000)}.`));
    const nested = ebnf('root ::= "(" root ")" | "x"');
    assert.ok(matches(nested, `${"(".repeat(500)}x${")".repeat(500)}`));
    assert.ok(!matches(nested, `${"(".repeat(500)}x${")".repeat(499)}`));
  });

  it("is refused with a reason if it is wrong", () => {
    refuses(ebnf('start ::= "a"'), /expected a rule "root", got none/);
    refuses(ebnf("root ::= a"), /expected a rule "a", got none/);
    refuses(ebnf('root ::= "a"', 'root ::= "b"'), /expected one rule "root", got two/);
    refuses(ebnf('root ::= "a'), /line 1: expected ", got the end/);
    refuses(ebnf("root ::= (", "a", "::= x"), /line 2: expected \)/);
    refuses(ebnf('root ::= "a" %'), /line 1: expected the name of a rule, got "%"/);
    refuses(ebnf("root = x"), /expected ::=, got "= x"/);
    refuses(ebnf("root ::= [z-a]"), /ranges in order/);
    refuses(ebnf('root ::= "\\q"'), /expected one of/);
    refuses(ebnf('root ::= "a"{x}'), /expected {m}, {m,} or {m,n}/);
    refuses(ebnf('root ::= "x" root'), /some text satisfies, got one that none does/);
  });

  it("is refused if a rule begins with itself, however hidden", () => {
    refuses(ebnf('root ::= root root | [a-z] | ""'), /no rule that begins with itself, got root/);
    refuses(ebnf("root ::= a", 'a ::= b? c "x" | "y"', 'b ::= "b"', "c ::= a"), /begins with itself/);
    refuses(ebnf('root ::= (root "a")* "b"'), /begins with itself/);
    assert.ok(matches(ebnf('root ::= root | "a"'), "a"));
  });
});

describe("any JSON object", () => {
  it("allows objects, with at most one space between things", () => {
    for (const text of ["{}", '{"a":1}', '{ "a" : [ 1.5e+3 , true ] , "한" : {"\\n\\"":null} }'])
      assert.ok(matches(jsonObject, text), text);
    for (const text of [
      "",
      "[]",
      "1",
      '{"a":01}',
      "{'a':1}",
      '{"a":1,}',
      '{"a":  1}',
      '{"a":\n1}',
      '{"\n":1}',
      "{}\n",
    ])
      assert.ok(!matches(jsonObject, text), text);
  });

  it("is written by a model without sense, and its end is the text's", () => {
    const wanderer = new Wanderer(tokenizer, eosId, mulberry32(2));
    let finished = 0;
    for (let n = 0; n < 100; n++) {
      const written = wanderer.write(constraintFor(jsonObject, model, null), 600);
      if (!written.finished) continue;
      finished++;
      const value = JSON.parse(written.text);
      assert.ok(typeof value === "object" && !Array.isArray(value), written.text);
    }
    assert.ok(finished > 50, `${finished}`);
  });
});

describe("numbers within bounds", () => {
  const bounds = [-1200, -20.5, -3, -0.25, 0, 0.125, 3, 7, 20.5, 99, 1000];

  it("are all that are, and no others", () => {
    const texts = Array.from({ length: 400 }, (_, i) => String((i - 200) / 8));
    texts.push(
      ..."-1200 -1201 -1199.5 1000 999.999 1001 99 100 98 20.50 3.0 3.00 2.999999 0.125000 -0.250".split(" "),
    );
    const random = mulberry32(4);
    for (const low of bounds)
      for (const high of bounds.filter((bound) => bound > low)) {
        const minimum = random() < 0.5 ? "minimum" : "exclusiveMinimum";
        const maximum = random() < 0.5 ? "maximum" : "exclusiveMaximum";
        for (const type of ["number", "integer"]) {
          const holds = (value: number) =>
            (minimum === "minimum" ? value >= low : value > low) &&
            (maximum === "maximum" ? value <= high : value < high) &&
            (type === "number" || Number.isInteger(value));
          const source = schema({ type, [minimum]: low, [maximum]: high });
          const integers = Math.floor(high) - Math.ceil(low) > 2;
          if (type === "integer" && !integers) continue;
          for (const text of texts.filter(() => random() < 0.2)) {
            // An integer is written as one, and zero without a sign.
            const expected = holds(Number(text)) && (type === "number" || !text.includes("."));
            assert.equal(matches(source, text), expected, `${JSON.stringify(source)} ${text}`);
          }
        }
      }
  });

  it("are refused where doubles can't tell them apart, or there are none", () => {
    refuses(schema({ type: "number", minimum: 0.1234567890123456 }), /at most 15 digits/);
    refuses(schema({ type: "integer", maximum: 1e20 }), /at most 15 digits/);
    refuses(schema({ type: "integer", exclusiveMinimum: 1, exclusiveMaximum: 2 }), /none does/);
    refuses(schema({ type: "number", minimum: 2, maximum: 1 }), /none does/);
    assert.ok(matches(schema({ type: "number", minimum: 1e-7 }), "0.0000001"));
  });
});

describe("a schema's keyword", () => {
  it("is refused by its name if it can't be enforced", () => {
    for (const keyword of [
      ..."not if then else dependentRequired dependentSchemas patternProperties propertyNames contains".split(
        " ",
      ),
      ..."minContains multipleOf unevaluatedProperties unevaluatedItems $dynamicRef $anchor contentEncoding".split(
        " ",
      ),
      "madeUp",
    ])
      refuses(
        schema({ type: "object", properties: { a: { [keyword]: {} } } }),
        new RegExp(`"${keyword.replace("$", "\\$")}"`),
      );
    refuses(schema({ type: "array", uniqueItems: true }), /uniqueItems/);
    refuses(schema({ type: "string", format: "regex" }), /the format "regex"; supported are date, /);
    refuses(schema({ type: "string", pattern: "a", minLength: 2 }), /more than one of "pattern"/);
    refuses(schema({ allOf: [{}, {}] }), /more than one schema in "allOf"/);
    refuses(schema({ anyOf: [{}], minimum: 1 }), /"minimum" beside "anyOf"/);
    refuses(schema({ oneOf: [{ type: "integer" }, { type: "number" }] }), /"oneOf" whose schemas/);
    refuses(schema({ type: "object", minProperties: 2 }), /minProperties/);
    refuses(schema({ $ref: "https://example.com/a.json" }), /within the schema/);
    refuses(schema({ $ref: "#/$defs/none" }), /nothing at/);
    refuses(schema({ type: "object", properties: JSON.parse('{"__proto__":{}}') }), /__proto__/);
    refuses({ type: "json_schema", schema: '{"const":1e999}' }, /as large as/);
  });

  it("is refused with what was expected if its value is wrong", () => {
    refuses({ type: "json_schema", schema: "{" }, /expected a JSON schema, got/);
    refuses(schema(3), /expected a schema as the schema, got 3/);
    refuses(schema({ type: "text" }), /expected a type as the schema.type, got "text"/);
    refuses(schema({ properties: { a: 1 } }), /expected a schema as the schema.properties\["a"\], got 1/);
    refuses(schema({ required: "a" }), /expected a list of names/);
    refuses(schema({ minLength: -1 }), /expected an integer from 0 to/);
    refuses(schema({ minimum: "1" }), /expected a number/);
    refuses(schema({ enum: [] }), /expected a list that is not empty/);
    refuses(schema({ type: "object", required: ["a"], additionalProperties: false }), /none does/);
    refuses({ type: "lark" } as never, /expected a grammar of type/);
  });

  it("format gives texts that are of the format", () => {
    const wanderer = new Wanderer(tokenizer, eosId, mulberry32(6));
    const isDate = (text: string) => !Number.isNaN(Date.parse(text));
    const checks: Record<string, (text: string) => boolean> = {
      date: isDate,
      "date-time": isDate,
      time: (text) => isDate(`2000-01-01T${text}`),
      uuid: (text) => text.length === 36,
      ipv4: (text) => text.split(".").every((part) => Number(part) < 256),
      uri: (text) => URL.canParse(text),
    };
    for (const [format, isValid] of Object.entries(checks)) {
      let finished = 0;
      for (let n = 0; n < 20; n++) {
        const source = schema({ type: "string", format });
        const written = wanderer.write(constraintFor(source, model, eosId), 400);
        if (!written.finished) continue;
        finished++;
        assert.ok(isValid(JSON.parse(written.text)), `${format}: ${written.text}`);
      }
      assert.ok(finished >= 15, `${format}: ${finished} of 20 texts finished`);
    }
  });
});

describe("hostile grammars", () => {
  const ambiguous = ebnf('root ::= x root "b" | y root "c" | "d"', 'x ::= "a"', 'y ::= "a"');
  const long = "x".repeat(32_000);
  // Readings that no text tells apart; each counts its letters, so that it is found anew how each letter begins.
  const chains = (prefix: string) =>
    ebnf(
      `root ::= "${prefix}" (${Array.from({ length: 20 }, (_, i) => `[a-${"bcdefghijklmnopqrstu"[i]}] r0{${1000 + i}}`).join("|")})`,
      ...Array.from({ length: 1800 }, (_, i) => `r${i} ::= r${i + 1}`),
      "r1800 ::= [a-z]",
    );
  const again = (schema: object): object => ({
    type: "object",
    properties: { x: schema },
    required: Array(14).fill("x"),
  });
  const requiring = Array.from({ length: 14 }).reduce<object>(again, { type: "string" });
  const hostile: Record<string, GrammarSource> = {
    "counts of counts": regex("(((a{1,900}){1,900}){1,900}){1,900}"),
    "repeated nothing": regex("((a|a)*){1000}b"),
    "many optional letters": regex("a?".repeat(16_000)),
    "letters that are each one of hundreds of repetitions": regex("(a|b|c|d|e|f)*".repeat(290)),
    "deep groups": regex(`${"(".repeat(16_000)}a${")".repeat(16_000)}`),
    "two readings for each letter": ambiguous,
    "rules that double": ebnf(
      "root ::= r0",
      ...Array.from({ length: 500 }, (_, i) => `r${i} ::= r${i + 1} r${i + 1}`),
      'r500 ::= "a"',
    ),
    "rules that fork": ebnf(
      "root ::= r0",
      ...Array.from({ length: 40 }, (_, i) => `r${i} ::= r${i + 1} "x" | q${i + 1} "y"`),
      ...Array.from({ length: 40 }, (_, i) => `q${i} ::= r${i + 1} "z" | q${i + 1} "w"`),
      'r40 ::= "a"',
      'q40 ::= "a"',
    ),
    "rules that only lead to rules": chains(""),
    "options that require one property again and again": schema({ oneOf: [requiring, requiring] }),
    "a long way to the end": schema({ type: "array", minItems: 1e9 }),
    "a count beyond all": schema({ type: "array", minItems: 1e12 }),
    "a schema in a schema in …": {
      type: "json_schema",
      schema: `${'{"items":'.repeat(3000)}{}${"}".repeat(3000)}`,
    },
    "brackets alone": { type: "json_schema", schema: "[".repeat(30_000) },
    itself: schema({ $ref: "#" }),
    "a large enum of long words": schema({
      enum: [`${long.slice(0, 15_000)}a`, `${long.slice(0, 15_000)}b`],
    }),
    "properties without end": schema({
      properties: Object.fromEntries(Array.from({ length: 1200 }, (_, i) => [`property${i}`, {}])),
      minProperties: 400,
      maxProperties: 800,
    }),
    "too long": regex(long + long),
  };
  for (const [name, source] of Object.entries(hostile)) {
    it(`such as ${name} are refused`, () => refuses(source, /^expected /));
  }

  it("are remembered in bounded memory, however many come", () => {
    const programs = new Programs(tokenizer, tokenizer.size, { count: 8, bytes: 4 << 20 });
    let id = 0;
    const follow = (source: GrammarSource) =>
      programs.constraint({ id: ++id, numbers: encode(formOf(source)) }, [eosId]).allowed();
    for (let i = 0; i < 100; i++) {
      follow(regex(`[a-z]{1,${i + 1}}`));
      assert.ok(programs.size <= 8);
    }
    for (let i = 0; i < 8; i++) {
      follow(regex("ab".repeat(2000 + i)));
      assert.ok(programs.bytes <= 4 << 20, `${programs.bytes}`);
    }
  });

  it("that hold up one sequence only fail that sequence, and a sequence that outgrows what is remembered goes on", () => {
    // Another source than above, whose refusal is remembered.
    const unchecked: GrammarSource = {
      type: "grammar",
      ebnf: `${(ambiguous as { ebnf: string }).ebnf} # again`,
    };
    const palindrome = constraintFor(unchecked, model, eosId);
    assert.throws(() => {
      for (let i = 0; i < 40; i++) {
        palindrome.allowed();
        palindrome.accept(0x61);
      }
    }, GrammarError);
    const far = constraintFor(chains("x".repeat(200)), model, eosId);
    for (let i = 0; i < 200; i++) far.accept(0x78);
    assert.throws(() => {
      for (let i = 0; i < 3; i++) {
        far.allowed();
        far.accept(0x61);
      }
    }, GrammarError);
    const long = constraintFor(schema({ type: "string", maxLength: 100_000 }), model, eosId);
    long.accept(0x22);
    for (let i = 0; i < 20_000; i++) {
      if (i % 50 === 0) long.allowed();
      long.accept(0x61);
    }
    long.accept(0x22);
    assert.ok(long.complete);
  });
});

describe("a constraint", () => {
  it("allows exactly the tokens that the grammar can go on with", () => {
    const json = byteLevelTokenizer();
    const many = createTokenizer(json, {});
    const source = schema({ type: "array", items: { type: "string", pattern: "^[가-깋a-c]{1,3}$" } });
    const random = mulberry32(8);
    const size = many.size;
    let constraint = constraintFor(source, { tokenizer: many, vocabulary: size }, null);
    let ids: number[] = [];
    for (let step = 0; step < 100; step++) {
      const allowed = allowedTokens(constraint);
      const goesOn = (id: number) => {
        const other = constraintFor(source, { tokenizer: many, vocabulary: size }, null);
        for (const before of ids) other.accept(before);
        try {
          other.accept(id);
          return many.tokenBytes(id, false).bytes !== null;
        } catch {
          return false;
        }
      };
      const expected = Array.from({ length: size }, (_, id) => id).filter(goesOn);
      assert.deepEqual(allowed, expected);
      if (constraint.complete || ids.length > 12) {
        constraint = constraintFor(source, { tokenizer: many, vocabulary: size }, null);
        ids = [];
        continue;
      }
      const id = allowed[Math.floor(random() * allowed.length)]!;
      constraint.accept(id);
      ids.push(id);
    }
  });

  it("holds characters together that are split over tokens", () => {
    const constraint = constraintFor(regex("[가나]다?"), model, eosId);
    const bytes = [...Buffer.from("나다")];
    for (const [i, byte] of bytes.entries()) {
      const allowed = allowedTokens(constraint);
      assert.ok(allowed.includes(byte));
      assert.equal(allowed.includes(eosId), i === 3);
      constraint.accept(byte);
    }
    assert.ok(constraint.complete);
    assert.deepEqual(allowedTokens(constraint), [eosId]);
  });

  it("allows each of several ends where the text may end, and none before", () => {
    const ends = [eosId, eosId + 2];
    const constraint = constraintFor(regex("ab?"), model, ends);
    assert.deepEqual(allowedTokens(constraint), [0x61]);
    constraint.accept(0x61);
    assert.deepEqual(allowedTokens(constraint), [0x62, ...ends]);
    constraint.accept(eosId + 2);
  });

  it("never allows a token without a text, nor the end where it ends nothing", () => {
    const constraint = constraintFor(regex("(a|\\[EOS\\])*"), model, null);
    assert.deepEqual(allowedTokens(constraint), [..."[a"].map((letter) => letter.charCodeAt(0)).sort());
    constraint.accept(eosId);
    assert.throws(() => constraint.accept(0x62), /expected a token that the grammar allows, got 98/);
  });

  it("takes the end of the sequence for one even where it has a text", () => {
    const letter = "e".charCodeAt(0);
    const constraint = constraintFor(regex("e?f"), model, letter);
    assert.deepEqual(allowedTokens(constraint), ["f".charCodeAt(0)]);
    constraint.accept("f".charCodeAt(0));
    assert.deepEqual(allowedTokens(constraint), [letter]);
  });

  it("has a bit for each of the model's logits, more or fewer than the tokenizer has tokens", () => {
    for (const vocabulary of [tokenizer.size + 100, 98]) {
      const another = createTokenizer(byteTokenizer(), { eos_token: "[EOS]" });
      const constraint = constraintFor(regex("a+"), { tokenizer: another, vocabulary }, null);
      assert.equal(constraint.allowed().length, Math.ceil(vocabulary / 32));
      assert.deepEqual(allowedTokens(constraint), [0x61]);
    }
  });

  it("is not changed by another of the same grammar", () => {
    const [one, two] = [0, 1].map(() => constraintFor(regex("ab|cd"), model, eosId));
    one!.accept(0x61);
    assert.deepEqual(allowedTokens(two!), [0x61, 0x63]);
    assert.deepEqual(allowedTokens(one!), [0x62]);
  });
});

describe("a tokenizer whose tokens are words, joined by spaces", () => {
  const vocabulary = ["[EOS]", ...'{ } [ ] " : , 정규직 계약직 1 23 hello a'.split(" ")];
  const vocab = Object.fromEntries(vocabulary.map((word, id) => [word, id]));
  const words = createTokenizer(
    whitespaceTokenizer({}, { added_tokens: [], model: { type: "BPE", vocab, merges: [] } }),
    { eos_token: "[EOS]" },
  );
  const wordModel = { tokenizer: words, vocabulary: words.size };
  const id = (word: string) => vocab[word]!;
  const start = (source: GrammarSource) => constraintFor(source, wordModel, words.eosId);

  it("writes its first token without a space and the later ones with one", () => {
    const constraint = start(regex("hello 23( a)*"));
    assert.deepEqual(allowedTokens(constraint), [id("hello")]);
    constraint.accept(id("hello"));
    assert.deepEqual(allowedTokens(constraint), [id("23")]);
    constraint.accept(id("23"));
    assert.deepEqual(allowedTokens(constraint), [id("[EOS]"), id("a")]);
    const choice = start(regex("정규직|계약직"));
    assert.deepEqual(allowedTokens(choice), [id("정규직"), id("계약직")]);
    choice.accept(id("계약직"));
    assert.ok(choice.complete);
  });

  it("doesn't go where no token leads on, and ends where only letters without a space could follow", () => {
    assert.deepEqual(allowedTokens(start(regex("1 q|1q|23 a|hello 1 q"))), [id("23")]);
    const constraint = start(regex("1[0-9]*"));
    constraint.accept(id("1"));
    assert.ok(constraint.complete);
  });

  it("writes JSON whose text parses", () => {
    const wanderer = new Wanderer(words, words.eosId, mulberry32(7));
    const sources = [jsonObject, schema({ type: "array", items: { type: "integer" }, minItems: 2 })];
    for (const source of sources) {
      let finished = 0;
      for (let n = 0; n < 50; n++) {
        const written = wanderer.write(start(source), 300);
        if (!written.finished) continue;
        finished++;
        assert.equal(typeof JSON.parse(written.text), "object", written.text);
      }
      assert.ok(finished > 25, `${finished}`);
    }
  });

  it("can't spell the names of properties, and says so", () => {
    for (const source of [
      schema({ type: "object", properties: { a: {} }, required: ["a"] }),
      regex("(a*)*b"),
    ])
      assert.throws(
        () => checkGrammar(source, wordModel),
        /expected a form that the model's tokenizer can write/,
      );
  });
});
