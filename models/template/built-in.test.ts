import assert from "node:assert/strict";
import { test } from "node:test";
import { compileChatTemplate, type Message } from "../chat-template.js";
import { conversation, wildTemplates } from "../fixtures/wild-templates.js";
import { builtInNames, builtInTemplate } from "./built-in.js";

const config = { bos_token: "<s>", eos_token: "</s>" };
const turns: readonly Message[] = [
  { role: "system", content: "Be brief." },
  { role: "user", content: " Hi? " },
  { role: "assistant", content: "Hello!" },
  { role: "user", content: "And?" },
];

const rendered = (name: string, messages: readonly Message[]) =>
  compileChatTemplate(builtInTemplate(name)!, config).render(messages, { addGenerationPrompt: true });

for (const { name, source, config: own = {}, text } of wildTemplates)
  test(`a template of a model in the wild renders as Jinja does: ${name}`, () => {
    const { render, renderLight } = compileChatTemplate(source, own);
    assert.equal(render(conversation, { addGenerationPrompt: true }), text);
    // On a busy machine it may not be light.
    assert.equal(renderLight(conversation, { addGenerationPrompt: true }) ?? text, text);
  });

test("the templates with names write what their sources say", () => {
  assert.equal(
    rendered("chatml", turns),
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi? <|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n",
  );
  assert.equal(
    rendered("llama2", turns),
    "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\n Hi? [/INST] Hello! </s><s>[INST] And? [/INST]",
  );
  assert.equal(
    rendered("llama3", turns),
    [
      "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>",
      "<|start_header_id|>user<|end_header_id|>\n\nHi?<|eot_id|>",
      "<|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|>",
      "<|start_header_id|>user<|end_header_id|>\n\nAnd?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
    ].join(""),
  );
  assert.equal(
    rendered("nanochat", turns),
    "<|bos|><|user_start|>Be brief.\n\n Hi? <|user_end|><|assistant_start|>Hello!<|assistant_end|><|user_start|>And?<|user_end|><|assistant_start|>",
  );
  assert.equal(
    rendered("alpaca", turns.slice(3)),
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n### Instruction:\nAnd?\n\n### Response:",
  );
});

test("a template with a name refuses roles that its form has no place for", () => {
  assert.throws(() => rendered("alpaca", turns), /expected one user message/);
  for (const name of ["llama2", "nanochat"])
    assert.throws(() => rendered(name, [turns[2]!]), /expected a user message first/);
});

test("names are names alone, not those that every object has", () => {
  assert.ok(builtInNames.includes("chatml"));
  for (const name of ["constructor", "__proto__", "toString", "Chatml"])
    assert.equal(builtInTemplate(name), null);
});
