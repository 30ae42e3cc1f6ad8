/*
 * Templates with names. Each is what its source says, without tools.
 * Messages of other roles than those that a form has are refused: the model has never seen them.
 */

/** JAI models are trained with it. */
export const jaiChatTemplate = [
  "{% for message in messages %}",
  "{% if message.role == 'user' %}{{ '[QUESTION]\\n' + message.content + '\\n[/QUESTION]\\n\\n' }}",
  "{% elif message.role == 'assistant' %}{{ '[ANSWER]\\n' + message.content + '\\n[/ANSWER]\\n\\n' }}",
  "{% else %}{{ raise_exception('expected the roles user and assistant, got ' + message.role) }}",
  "{% endif %}",
  "{% endfor %}",
  "{% if add_generation_prompt %}{{ '[ANSWER]\\n' }}{% endif %}",
].join("");

/** https://huggingface.co/docs/transformers/chat_templating */
const chatml = [
  "{% for message in messages %}",
  "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}",
  "{% endfor %}",
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}",
].join("");

const alternating =
  "{{ raise_exception('expected a user message first, then answers and user messages in turn') }}";

/** https://github.com/meta-llama/llama/blob/main/llama/generation.py */
const llama2 = [
  "{% set ns = namespace(system='') %}",
  "{% if messages and messages[0].role == 'system' %}",
  "{% set ns.system = '<<SYS>>\\n' + messages[0].content + '\\n<</SYS>>\\n\\n' %}{% set messages = messages[1:] %}",
  "{% endif %}",
  "{% for message in messages %}",
  `{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}${alternating}{% endif %}`,
  "{% if message.role == 'user' %}",
  "{{ bos_token + '[INST] ' + ((ns.system if loop.first else '') + message.content).strip() + ' [/INST]' }}",
  "{% elif message.role == 'assistant' %}{{ ' ' + message.content.strip() + ' ' + eos_token }}",
  `{% else %}${alternating}{% endif %}`,
  "{% endfor %}",
].join("");

/** https://github.com/meta-llama/llama3/blob/main/llama/tokenizer.py (ChatFormat) */
const llama3 = [
  "{{ '<|begin_of_text|>' }}",
  "{% for message in messages %}",
  "{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\\n\\n' + message.content.strip() + '<|eot_id|>' }}",
  "{% endfor %}",
  "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}",
].join("");

/** https://github.com/tatsu-lab/stanford_alpaca/blob/main/train.py: one instruction, without an input. */
const alpaca = [
  "{% if messages|length != 1 or messages[0].role != 'user' %}",
  "{{ raise_exception('expected one user message: this form has neither system messages nor earlier answers') }}",
  "{% endif %}",
  "{{ 'Below is an instruction that describes a task. Write a response that appropriately completes the request.\\n\\n' }}",
  "{{ '### Instruction:\\n' + messages[0].content + '\\n\\n### Response:' }}",
].join("");

/** https://github.com/karpathy/nanochat/blob/master/nanochat/tokenizer.py (render_conversation) */
const nanochat = [
  "{{ '<|bos|>' }}",
  "{% set ns = namespace(system='') %}",
  "{% if messages and messages[0].role == 'system' %}",
  "{% set ns.system = messages[0].content + '\\n\\n' %}{% set messages = messages[1:] %}",
  "{% endif %}",
  "{% for message in messages %}",
  `{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}${alternating}{% endif %}`,
  "{% if message.role == 'user' %}",
  "{{ '<|user_start|>' + (ns.system if loop.first else '') + message.content + '<|user_end|>' }}",
  "{% elif message.role == 'assistant' %}{{ '<|assistant_start|>' + message.content + '<|assistant_end|>' }}",
  `{% else %}${alternating}{% endif %}`,
  "{% endfor %}",
  "{% if add_generation_prompt %}{{ '<|assistant_start|>' }}{% endif %}",
].join("");

const builtIn: Readonly<Record<string, string>> = {
  jai: jaiChatTemplate,
  ...{ chatml, llama2, llama3, alpaca, nanochat },
};

export const builtInNames: readonly string[] = Object.keys(builtIn);

/** The template with this name; null if there is none. */
export function builtInTemplate(name: string): string | null {
  return Object.hasOwn(builtIn, name) ? builtIn[name]! : null;
}
