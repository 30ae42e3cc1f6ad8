/** A form that the text has to have, as its author wrote it. */
export type GrammarSource =
  | { type: "json_object" }
  /** A JSON Schema, as JSON text. */
  | { type: "json_schema"; schema: string }
  | { type: "regex"; pattern: string }
  | { type: "grammar"; ebnf: string };
