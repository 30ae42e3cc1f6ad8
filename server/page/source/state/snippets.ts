// Programs that send what is on screen.
import { withEscapes } from "./visible.js";

export interface SnippetSource {
  /** The server's address, with a slash at its end. */
  base: string;
  path: string;
  body: Record<string, unknown>;
  /** Whether the server asks for a key. It is never written out. */
  keyed: boolean;
}

export const languages = ["curl", "Python", "JavaScript"] as const;
export type Language = (typeof languages)[number];

/** A text that came with a link can't make a program look like another one: what is invisible in it is escaped. */
export function snippet(language: Language, source: SnippetSource): string {
  if (language === "Python") return withEscapes(python(source), pythonEscape);
  return withEscapes(language === "curl" ? curl(source) : javascript(source), jsonEscape);
}

const hex = (code: number, digits: number) => code.toString(16).padStart(digits, "0");

function jsonEscape(code: number): string {
  const units = String.fromCodePoint(code);
  return Array.from({ length: units.length }, (_, at) => `\\u${hex(units.charCodeAt(at), 4)}`).join("");
}

const pythonEscape = (code: number) => (code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`);

const url = ({ base, path }: SnippetSource) => base + path.slice(1);
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

function curl(source: SnippetSource): string {
  return [
    `curl ${source.body.stream ? "-N " : ""}${quoted(url(source))}`,
    "-H 'content-type: application/json'",
    ...(source.keyed ? ['-H "authorization: Bearer $JAI_API_KEY"'] : []),
    `-d ${quoted(JSON.stringify(source.body, null, 2))}`,
  ].join(" \\\n  ");
}

/** Parameters of OpenAI's client; all others go into `extra_body`. */
const known: ReadonlySet<string> = new Set(
  (
    "model messages prompt temperature top_p n stop seed max_tokens presence_penalty frequency_penalty logit_bias " +
    "logprobs top_logprobs response_format echo best_of stream stream_options"
  ).split(" "),
);

function python(source: SnippetSource): string {
  const { base, path, body, keyed } = source;
  const isChat = path.includes("chat");
  const entries = Object.entries(body);
  // The client of plain completions has no `response_format`.
  const isKnown = (name: string) => known.has(name) && (isChat || name !== "response_format");
  const extra = Object.fromEntries(entries.filter(([name]) => !isKnown(name)));
  const parameters = [
    ...entries.filter(([name]) => isKnown(name)),
    ...(Object.keys(extra).length > 0 ? [["extra_body", extra] as [string, unknown]] : []),
  ];
  return [
    ...(keyed ? ["import os", ""] : []),
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${literal(`${base}v1`)}, api_key=${keyed ? 'os.environ["JAI_API_KEY"]' : '"none"'})`,
    `completion = client.${isChat ? "chat.completions" : "completions"}.create(`,
    ...parameters.map(([name, value]) => `    ${name}=${literal(value, "    ")},`),
    ")",
    ...pythonReader(isChat, body.stream === true),
    "",
  ].join("\n");
}

function pythonReader(isChat: boolean, isStream: boolean): string[] {
  if (!isStream)
    return ["for choice in completion.choices:", `    print(choice.${isChat ? "message.content" : "text"})`];
  return [
    "for chunk in completion:",
    "    for choice in chunk.choices:",
    `        print(${isChat ? 'choice.delta.content or ""' : "choice.text"}, end="", flush=True)`,
  ];
}

/** A value in Python's syntax. */
function literal(value: unknown, indent = ""): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  const deeper = `${indent}    `;
  const isList = Array.isArray(value);
  const items = isList
    ? value.map((one) => literal(one, deeper))
    : Object.entries(value).map(([name, one]) => `${JSON.stringify(name)}: ${literal(one, deeper)}`);
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  const line = `${open}${items.join(", ")}${close}`;
  if (line.length <= 80 && !line.includes("\n")) return line;
  return [open, ...items.map((item) => `${deeper}${item},`), `${indent}${close}`].join("\n");
}

function javascript(source: SnippetSource): string {
  const { path, body, keyed } = source;
  const text = path.includes("chat") ? "delta?.content" : "text";
  const head = [
    `const response = await fetch(${JSON.stringify(url(source))}, {`,
    '  method: "POST",',
    "  headers: {",
    '    "content-type": "application/json",',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the program's
    ...(keyed ? ["    authorization: `Bearer ${process.env.JAI_API_KEY}`,"] : []),
    "  },",
    `  body: JSON.stringify(${JSON.stringify(body, null, 2).replaceAll("\n", "\n  ")}),`,
    "});",
    "if (!response.ok) throw new Error(await response.text());",
  ];
  if (!body.stream) return [...head, "console.log((await response.json()).choices);", ""].join("\n");
  return [
    ...head,
    'let rest = "";',
    "for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {",
    '  const events = (rest + piece).split("\\n\\n");',
    "  rest = events.pop();",
    "  for (const event of events) {",
    '    if (!event.startsWith("data: {")) continue;',
    "    const { choices, error } = JSON.parse(event.slice(6));",
    "    if (error) throw new Error(error.message);",
    `    for (const choice of choices) process.stdout.write(choice.${text} ?? "");`,
    "  }",
    "}",
    "",
  ].join("\n");
}
