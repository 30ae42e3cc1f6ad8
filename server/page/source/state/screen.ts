import type { Answer } from "../wire/answer.js";
import { allFields, type Mode, type NumberName } from "./fields.js";

export type FormKind = "none" | "json" | "schema" | "regex" | "grammar";

/** A message of the conversation. An answer of the model may have several samples, of which one is chosen. */
export interface Turn {
  /** Unique on this page. */
  key: number;
  role: "user" | "assistant";
  /** Of an answer: the chosen sample's text once it has ended, or what the user made of it. */
  text: string;
  answer: Answer | null;
  chosen: number;
}

/** All that is on the playground. */
export interface Screen {
  mode: Mode;
  system: string;
  turns: Turn[];
  /** The message that is being written. */
  draft: string;
  prompt: string;
  /** The output of a plain completion. */
  output: Answer | null;
  /** What stands in the fields of numbers. An empty one is the server's default. */
  numbers: Record<NumberName, string>;
  /** One stop string a line. */
  stop: string;
  /** `id: bias`, one a line. */
  bias: string;
  ignoreEos: boolean;
  echo: boolean;
  /** Whether the answer comes with its tokens, and how many alternatives. */
  tokens: boolean;
  alternatives: number;
  form: FormKind;
  schema: string;
  regex: string;
  grammar: string;
}

let keys = 0;
export const newTurn = (role: Turn["role"], text: string, answer: Answer | null = null): Turn => ({
  key: ++keys,
  role,
  text,
  answer,
  chosen: 0,
});

const emptyNumbers = Object.fromEntries(allFields.map(({ name }) => [name, ""])) as Screen["numbers"];

export const newScreen = (): Screen => ({
  mode: "chat",
  system: "",
  turns: [],
  draft: "",
  prompt: "",
  output: null,
  numbers: { ...emptyNumbers, temperature: "0.8", top_k: "50" },
  stop: "",
  bias: "",
  ignoreEos: false,
  echo: false,
  tokens: false,
  alternatives: 5,
  form: "none",
  schema:
    '{\n  "type": "object",\n  "properties": {\n    "city": { "type": "string" },\n    "years": { "type": "integer" }\n  },\n  "required": ["city", "years"],\n  "additionalProperties": false\n}',
  regex: "(네|아니요), .{5,40}\\.",
  grammar: 'root ::= "yes" | "no"',
});
