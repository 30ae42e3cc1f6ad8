// Templates are somebody else's files. Each has to give a text or one line, in bounded time and memory; one that doesn't hangs the test.
import assert from "node:assert/strict";
import { test } from "node:test";
import { randomCases, testSeed } from "../../ops/random-cases.js";
import { type ChatTemplate, compileChatTemplate } from "../chat-template.js";
import { ModelError } from "../files/error.js";
import { wildTemplates } from "../fixtures/wild-templates.js";
import { mulberry32 } from "../recipe/random.js";
import { builtInNames, builtInTemplate } from "./built-in.js";

const question = [{ role: "user", content: "bomb" }] as const;

/** What it gives. @throws unless that is a text of bounded length or one line */
function outcome(source: string): string {
  const attempt = (work: () => string | null): string => {
    try {
      return work() ?? "not light";
    } catch (error) {
      assert.ok(error instanceof ModelError, String(error));
      assert.match(error.message, /^chat_template: [^\p{Cc}\u2028\u2029]{1,500}$/u);
      return error.message;
    }
  };
  let template: ChatTemplate | null = null;
  const refused = attempt(() => {
    template = compileChatTemplate(source);
    return "";
  });
  if (template === null) return refused;
  const { render, renderLight } = template as ChatTemplate;
  const light = attempt(() => renderLight(question));
  const whole = attempt(() => render(question));
  assert.ok(
    light === "not light" || light === whole || whole.startsWith("chat_template"),
    "two different texts",
  );
  return whole;
}

const doubled = (start: string, times: number) =>
  `{% set ns = namespace(t=${start}) %}{% for i in range(${times}) %}{% set ns.t = ns.t + ns.t %}{% endfor %}`;
/** A million characters, and 65,536 references to a text of a million. */
const long = doubled("'xxxxxxxx'", 17);
const longList = `${long}{% set l = namespace(v=[ns.t]) %}{% for i in range(16) %}{% set l.v = l.v + l.v %}{% endfor %}`;
/** Lists of 40 levels, each twice the one below: 2 to the 40 entries as text. */
const tree =
  "{% set ns = namespace(a=['x']) %}{% for i in range(40) %}{% set ns.a = [ns.a, ns.a] %}{% endfor %}";

const tooMuch: Record<string, string> = {
  "a list that holds another twice, printed": `${tree}{{ ns.a }}`,
  "…, as JSON": `${tree}{{ ns.a | tojson }}`,
  "…, as a text": `${tree}{{ ns.a | string | length }}`,
  "…, joined": `${tree}{{ ns.a | join }}`,
  "…, added to a text": `${tree}{{ ns.a ~ 'x' }}`,
  "…, compared with a text": `${tree}{{ ns.a == 'x' }}`,
  "objects likewise": `{% set ns = namespace(a={'k': 1}) %}{% for i in range(60) %}{% set ns.a = {'a': ns.a, 'b': ns.a} %}{% endfor %}{{ ns.a }}`,
  "a list in itself": "{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns }}",
  "a list that doubles": `${doubled("[1]", 60)}`,
  "a text of four billion characters from a list": `${longList}{{ l.v | join | length }}`,
  "a sort of long texts": `${longList}{{ l.v | sort | length }}`,
  "a search in a list of long texts": `${longList}{{ ('y' ~ ns.t) in l.v }}`,
  "a search for a long text": `${long}{{ (ns.t[:400000] ~ 'y') in ns.t }}`,
  "a path of many names for each entry": `${doubled("[messages[0]]", 16)}{{ ns.t | map(attribute='${"a.".repeat(50_000)}') | list }}`,
  "a text in the place of each character": `${long}{{ ns.t.replace('x', ns.t) | length }}`,
  "a text between all characters": `${long}{{ ns.t | replace('', ns.t) | length }}`,
  "a wide indent of JSON": "{{ [[[[1]]]] | tojson(indent=300000000) | length }}",
  "long separators of JSON": `${long}{{ range(99) | tojson(separators=(ns.t, ns.t)) | length }}`,
  "many reversals": `${long}{% for i in range(1000) %}{{ ns.t[::-1] | length }}{% endfor %}`,
  "many changes of case": `${long}{% for i in range(99999) %}{% if ns.t.upper() %}{% endif %}{% endfor %}`,
  "many comparisons": `${long}{% set b = ns.t ~ 'a' %}{% set c = ns.t ~ 'a' %}{% for i in range(99999) %}{% if b == c %}{% endif %}{% endfor %}`,
  "many words": `${long}{% for c in ns.t.split('x') %}{{ c.strip() }}{% endfor %}`,
  "a text in the place of a pair": `${long}{{ namespace([ns.t]) }}`,
  "texts in the place of pairs, by another name": `${long}{% set n = namespace %}{{ n(ns.t.split('y') + [ns.t]) }}`,
  "three loops in each other":
    "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
  "a filter over a loop":
    "{% filter replace('x', 'xxxxxxxxxxxxxxxx') %}{% for i in range(99999) %}xxxxxxxxxxxxxxxxxxxx{% endfor %}{% endfilter %}",
  "a range past what a list holds": "{% for a in range(10**9) %}{% endfor %}",
};

for (const [what, source] of Object.entries(tooMuch))
  test(`too much: ${what}`, () => {
    assert.match(outcome(source), /^chat_template: cannot render .*it takes too much time or text/);
  });

const tooDeep: Record<string, string> = {
  parentheses: `{{ ${"(".repeat(60_000)}1${")".repeat(60_000)} }}`,
  "open brackets": `{{ ${"[".repeat(60_000)} }}`,
  negations: `{{ ${"not ".repeat(30_000)}1 }}`,
  attributes: `{{ messages${".a".repeat(60_000)} }}`,
  filters: `{{ 'a'${"|trim".repeat(25_000)} }}`,
  sums: `{{ 1${"+1".repeat(60_000)} }}`,
  conditions: "{% if 1 %}".repeat(13_000),
  alternatives: `{% if 0 %}${"{% elif 0 %}".repeat(10_000)}{% endif %}`,
};

for (const [what, source] of Object.entries(tooDeep))
  test(`nested too deeply: ${what}`, () => {
    assert.match(outcome(source), /it is nested too deeply/);
  });

test("a template's size and its white space are bounded", () => {
  assert.match(outcome("x".repeat(131_073)), /expected a template of at most 131072 characters, got 131073/);
  for (const space of [" ", "\n", "\t", "\u3000"])
    assert.match(outcome(space.repeat(1_001)), /at most 1000 characters of white space in a row/);
  assert.equal(outcome(`${`${" ".repeat(900)}x`.repeat(100)}{{ messages[0].content }}`).slice(-5), "xbomb");
});

test("a refusal of a template's own is one line of bounded length", () => {
  assert.equal(outcome(`${long}{{ raise_exception(ns.t) }}`).length < 500, true);
  assert.match(outcome("{{ raise_exception('a\u2028b\u0007c') }}"), /: a b c$/);
});

test("a template that fails and says nothing is one line all the same", () => {
  assert.match(outcome("{% break %}"), /it fails and doesn't say why$/);
});

test("what takes long on one word passes the start, is not light, and ends", () => {
  const source =
    "{% for m in messages %}{% if 'bomb' in m.content %}{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}{% endif %}{{ m.content }}{% endfor %}";
  const { renderLight, render } = compileChatTemplate(source);
  assert.equal(render([{ role: "user", content: "a word" }]), "a word");
  assert.equal(renderLight(question), null);
  assert.throws(() => render(question), /it takes too much time or text/);
});

test("a template doesn't reach what JavaScript's objects have", () => {
  const names = ["__proto__", "constructor", "constructor.constructor", "toString"];
  for (const name of names)
    assert.equal(outcome(`{{ messages.${name} }}{{ ''.${name} }}{{ messages[0].${name} }}`), "");
});

test("corrupted and mixed templates give a text or one line", () => {
  const sources = [
    ...wildTemplates.map(({ source }) => source),
    ...builtInNames.map((name) => builtInTemplate(name)!),
    ...Object.values(tooMuch).filter((source) => source.length < 1_000),
  ];
  const random = mulberry32(testSeed(13));
  const upTo = (end: number) => Math.floor(random() * end);
  const pieces = sources.flatMap((source) => source.match(/\{%.*?%\}|\{\{.*?\}\}/gs) ?? []);
  const wild = [
    "{%",
    "%}",
    "{{",
    "}}",
    "'",
    "\\",
    "|",
    "(",
    "[",
    "*",
    "**",
    "~",
    "range(9**9)",
    "| join",
    "| sort",
    "\0",
    "\ud800",
  ];
  const mutated = (source: string): string => {
    const at = upTo(source.length);
    switch (upTo(5)) {
      case 0:
        return source.slice(0, at) + source.slice(at + 1 + upTo(20));
      case 1:
        return source.slice(0, at) + wild[upTo(wild.length)] + source.slice(at);
      case 2:
        return source.slice(0, at) + pieces[upTo(pieces.length)] + source.slice(at);
      case 3:
        return source.replaceAll(/\d+/g, () => String(10 ** upTo(12)));
      default:
        return source.slice(0, at) + String.fromCharCode(upTo(0xffff)) + source.slice(at + 1);
    }
  };
  for (let i = 0; i < randomCases(300, 2_000); i++) {
    let source = sources[upTo(sources.length)]!;
    for (let times = 1 + upTo(4); times > 0; times--) source = mutated(source);
    outcome(source);
  }
});
