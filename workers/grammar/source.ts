/** The form that a text must have, as the request gives it. */
export type GrammarSource =
  | { type: "json_object" }
  /** A JSON Schema, as JSON text. */
  | { type: "json_schema"; schema: string }
  | { type: "regex"; pattern: string }
  | { type: "grammar"; ebnf: string };
