import assert from "node:assert/strict";
import { test } from "node:test";
import { compileChatTemplate, jaiChatTemplate } from "./chat-template.js";
import { ModelError } from "./files/error.js";

const question = [{ role: "user", content: "판교 {{ 7 * 7 }} <b>" }] as const;

test("the JAI template renders a question exactly as the old server wrapped it", () => {
  const { render } = compileChatTemplate(jaiChatTemplate);
  assert.equal(
    render(question, { addGenerationPrompt: true }),
    "[QUESTION]\n판교 {{ 7 * 7 }} <b>\n[/QUESTION]\n\n[ANSWER]\n",
  );
  assert.equal(render(question), "[QUESTION]\n판교 {{ 7 * 7 }} <b>\n[/QUESTION]\n\n");
});

test("the JAI template's answers end with [/ANSWER]", () => {
  assert.equal(compileChatTemplate(jaiChatTemplate).terminator, "[/ANSWER]");
});

test("the JAI template refuses a role that it was not trained on", () => {
  const { render } = compileChatTemplate(jaiChatTemplate);
  assert.throws(
    () => render([{ role: "system", content: "x" }]),
    (error) => error instanceof ModelError && /roles user and assistant, got system/.test(error.message),
  );
});

test("a template sees the token names, as text or as objects", () => {
  const source = "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}\n{% endfor %}";
  const template = compileChatTemplate(source, { bos_token: "<s>", eos_token: { content: "</s>" } });
  assert.equal(template.render([{ role: "user", content: "hi" }]), "<s>hi</s>\n");
  assert.equal(template.terminator, "</s>");
});

test("a template's own line ends are newlines, however its file ends them; those of a message stay", () => {
  const source = "{% for m in messages %}Q:\r\n{{ m.content }}\r{% endfor %}";
  assert.equal(compileChatTemplate(source).render([{ role: "user", content: "a\r\nb" }]), "Q:\na\r\nb\n");
});

test("a template without anything after an answer has no terminator", () => {
  assert.equal(compileChatTemplate("{{ messages[-1].content }}").terminator, null);
});

test("a template for questions alone has no terminator", () => {
  const source =
    "{% if messages|length > 1 %}{{ raise_exception('one question') }}{% endif %}{{ messages[0].content }}";
  assert.equal(compileChatTemplate(source).terminator, null);
});

for (const [what, source] of [
  ["does not parse", "{% for %}"],
  ["is cut off", "{{ messages"],
  ["calls what does not exist", "{{ missing_function() }}"],
  ["raises on every question", "{{ raise_exception('never') }}"],
] as const)
  test(`a template that ${what} is one clear line`, () => {
    assert.throws(
      () => compileChatTemplate(source),
      (error) => error instanceof ModelError && /^chat_template: [^\n]+$/.test(error.message),
    );
  });

for (const source of ["{{", "{% if", "{% if x %}", "{% for %}", "{{ messages", "{{ 'text"])
  test(`"${source}" is no template, and what the parser stumbled over stays inside`, () => {
    assert.throws(
      () => compileChatTemplate(source),
      (error) =>
        error instanceof ModelError &&
        /^chat_template: expected a Jinja template, got one that does not parse/.test(error.message) &&
        !/undefined|null|object/.test(error.message),
    );
  });

for (const [what, source] of [
  [
    "loops without end",
    "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{{ a }}{% endfor %}",
  ],
  ["loops that do nothing", "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}"],
  ["a macro that calls itself", "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}"],
  [
    "ten gigabytes of output",
    "{% for a in range(99999) %}{{ 'x' * 1 }}{{ messages | string * 100000 }}{% endfor %}",
  ],
  [
    "a text that doubles",
    "{% set n = namespace(t='xx') %}{% for a in range(60) %}{% set n.t = n.t ~ n.t %}{% endfor %}{{ n.t | length }}",
  ],
  [
    "a text that multiplies",
    "{% set n = namespace(t='x') %}{% for a in range(60) %}{% set n.t = n.t | replace('x', 'xxxxxxxxxxxxxxxxxxx') %}{% endfor %}{{ n.t }}",
  ],
  ["a wide indent", "{{ 'a\n' | indent(999999999) }}"],
  ["a long range", "{% for a in range(9999999999) %}{% endfor %}"],
  ["a negative range", "{% for a in range(0, -9999999999, -1) %}{% endfor %}"],
] as const) {
  test(`a template with ${what} is one clear line, soon`, () => {
    assert.throws(
      () => compileChatTemplate(source),
      /^ModelError: chat_template: cannot render this conversation: [^\n]+$/,
    );
  });
}

test("a conversation that takes long is not rendered where streams wait, and gives the same text elsewhere", () => {
  const { render, renderLight } = compileChatTemplate(jaiChatTemplate);
  const short = [{ role: "user", content: "x" }] as const;
  assert.equal(renderLight(short), render(short));
  const many = Array.from({ length: 2000 }, () => short[0]);
  assert.equal(renderLight(many), null);
  assert.equal(render(many).length, 2000 * render(short).length);
  const multiplies = compileChatTemplate("{{ messages[0].content | replace('x', 'y') }}");
  assert.equal(multiplies.renderLight(short), null);
  assert.equal(multiplies.render(short), "y");
});
