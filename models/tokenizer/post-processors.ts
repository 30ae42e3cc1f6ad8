import { ModelError } from "../errors.js";
import { type Fields, isFields, shown } from "../fields.js";

/** Ids that are put around those of the text. */
export interface Surroundings {
  before: readonly number[];
  after: readonly number[];
}

/** @throws ModelError if a component is unknown or malformed */
export function compilePostProcessor(json: unknown): Surroundings {
  if (json === null || json === undefined) return { before: [], after: [] };
  if (!isFields(json))
    throw new ModelError(`tokenizer.json: expected a post_processor or null, got ${shown(json)}`);
  switch (json.type) {
    // Concerns the offsets of tokens, which nobody here asks for.
    case "ByteLevel":
      return { before: [], after: [] };
    case "TemplateProcessing":
      return template(json);
    case "BertProcessing":
    case "RobertaProcessing":
      return { before: [namedId(json.cls)], after: [namedId(json.sep)] };
    case "Sequence": {
      if (!Array.isArray(json.processors))
        throw new ModelError(`tokenizer.json: expected a list of processors, got ${shown(json.processors)}`);
      const parts = json.processors.map(compilePostProcessor);
      return {
        before: parts.toReversed().flatMap((part) => part.before),
        after: parts.flatMap((part) => part.after),
      };
    }
    default:
      throw new ModelError(`tokenizer.json: expected a supported post_processor, got ${shown(json.type)}`);
  }
}

function template(json: Fields): Surroundings {
  const malformed = new ModelError(
    `tokenizer.json: expected a template with the sequence A once, got ${shown(json.single)}`,
  );
  if (!Array.isArray(json.single) || !isFields(json.special_tokens)) throw malformed;
  const ids = json.single.map((piece: unknown): number[] | null => {
    if (isFields(piece) && isFields(piece.Sequence) && piece.Sequence.id === "A") return null;
    const name = isFields(piece) && isFields(piece.SpecialToken) ? piece.SpecialToken.id : undefined;
    const special = typeof name === "string" ? (json.special_tokens as Fields)[name] : undefined;
    if (!isFields(special) || !Array.isArray(special.ids) || !special.ids.every(Number.isInteger))
      throw malformed;
    return special.ids;
  });
  const text = ids.indexOf(null);
  if (text < 0 || text !== ids.lastIndexOf(null)) throw malformed;
  return {
    before: ids.slice(0, text).flatMap((piece) => piece ?? []),
    after: ids.slice(text + 1).flatMap((piece) => piece ?? []),
  };
}

function namedId(token: unknown): number {
  const id: unknown = Array.isArray(token) ? token[1] : undefined;
  if (typeof id === "number" && Number.isInteger(id)) return id;
  throw new ModelError(`tokenizer.json: expected a token and its id, got ${shown(token)}`);
}
