import { shown } from "../../models/files/fields.js";
import type { Tokenizer } from "../../models/tokenizer/tokenizer.js";
import { classesOf } from "./automaton/automaton.js";
import { rehearse } from "./automaton/rehearse.js";
import { Vocabulary } from "./automaton/vocabulary.js";
import { encode, type Form, type FormNumbers } from "./compiled.js";
import { parseEbnf } from "./languages/ebnf.js";
import { Json } from "./languages/json.js";
import { parseRegex } from "./languages/regex.js";
import { parseSchema } from "./languages/schema.js";
import { analyse } from "./nodes/analyse.js";
import { characters } from "./nodes/code-points.js";
import { GrammarError } from "./nodes/error.js";
import { type Node, Nodes } from "./nodes/node.js";
import { Program } from "./program.js";
import type { GrammarSource } from "./source.js";

/** Longest source, in UTF-16 units. It bounds all that is made of the source. */
const MAX_SOURCE = 32_768;

/** Compiles forms, and finds out whether a model's tokens can follow them. */
export class Compiler {
  readonly #vocabulary: Vocabulary;

  /** @param size how many logits the model has */
  constructor(tokenizer: Tokenizer, size: number) {
    this.#vocabulary = new Vocabulary(tokenizer, size);
  }

  /** @throws GrammarError with the reason in one line if it is wrong, not supported, or too large */
  compile(source: GrammarSource): FormNumbers {
    const form = formOf(source);
    const program = new Program(form, this.#vocabulary);
    if (!program.canBegin())
      throw new GrammarError(
        "expected a form that the model's tokenizer can write, got one with characters or spacing that no token has",
      );
    rehearse(program.automaton);
    // The first token's mask may already be too much work.
    program.allowed(program.automaton.start, true);
    return encode(form);
  }
}

/** @throws GrammarError */
export function formOf(source: GrammarSource): Form {
  const text = textOf(source);
  if (text.length > MAX_SOURCE)
    throw new GrammarError(`expected a grammar of at most ${MAX_SOURCE} characters, got ${text.length}`);
  const nodes = new Nodes();
  const root = shallow(() => parse(nodes, source));
  analyse(nodes, root);
  return { nodes: nodes.all, root, classes: classesOf(nodes.all) };
}

function textOf(source: GrammarSource): string {
  switch (source.type) {
    case "json_object":
      return "";
    case "json_schema":
      return source.schema;
    case "regex":
      return source.pattern;
    case "grammar":
      return source.ebnf;
    default:
      throw new GrammarError(
        `expected a grammar of type json_object, json_schema, regex or grammar, got ${shown(source)}`,
      );
  }
}

function parse(nodes: Nodes, source: GrammarSource): Node {
  switch (source.type) {
    case "json_object":
      return new Json(nodes).anyObject();
    case "json_schema":
      return parseSchema(nodes, source.schema);
    case "regex":
      return parseRegex(nodes, source.pattern, {
        search: false,
        spelling: (ranges) => characters(nodes, ranges),
      });
    case "grammar":
      return parseEbnf(nodes, source.ebnf);
  }
}

/** Parsing is recursive; a source that nests so deep that the stack ends is refused like any other. */
function shallow<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof RangeError)
      throw new GrammarError("expected a grammar with less nesting, got one that is nested too deeply");
    throw error;
  }
}
