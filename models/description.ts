import { templateOf } from "./chat-template.js";
import { readFields } from "./files/fields.js";
import { cacheBytesPerSlot, type ModelFolder, readModelFolder } from "./folder.js";
import { readGraphWeights } from "./graph-weights.js";

/** What a model folder holds, in figures. */
export interface ModelDescription {
  folder: ModelFolder;
  parameters: {
    /** Stored weights, without scales and constants. */
    total: number;
    /** Those of the output head, which may be a copy of the token table. */
    head: number;
  };
  /** Width of the feed-forward layers. */
  hidden: number;
  cacheBytesPerSlot: number;
  tokenizer: {
    type: string;
    merges: number;
    /** Added tokens in the order of their ids. */
    added: { id: number; content: string; special: boolean }[];
  };
  /** Null if the model has none. */
  chatTemplate: {
    /** Null if the folder doesn't say; then it is JAI's own. */
    source: string | null;
    /** Whether it carries a system text and earlier answers to the model. */
    system: boolean;
    conversation: boolean;
    terminator: string | null;
  } | null;
}

/** @throws ModelError with one line that names the file and field */
export function describeModel(dir: string): ModelDescription {
  const folder = readModelFolder(dir);
  const weights = readGraphWeights(folder.graphPath).filter(({ name }) =>
    /^(tokens|positions|head)$|\.(weight|bias|values)$/.test(name),
  );
  const sizeOf = ({ dims }: { dims: number[] }) => dims.reduce((product, dim) => product * dim, 1);
  const sum = (some: typeof weights) => some.reduce((total, weight) => total + sizeOf(weight), 0);
  return {
    folder,
    parameters: { total: sum(weights), head: sum(weights.filter(({ name }) => /^head\b/.test(name))) },
    hidden: weights.find(({ name }) => /^layers\.0\.mlp_proj\.(weight|values)$/.test(name))?.dims[0] ?? 0,
    cacheBytesPerSlot: cacheBytesPerSlot(folder.config),
    tokenizer: describeTokenizer(dir),
    chatTemplate: describeTemplate(dir, folder),
  };
}

function describeTokenizer(dir: string): ModelDescription["tokenizer"] {
  const { model, added_tokens } = readFields(dir, "tokenizer.json") as {
    model: { type?: string; merges?: unknown[] };
    added_tokens?: { id: number; content: string; special?: boolean }[];
  };
  const added = (added_tokens ?? [])
    .map(({ id, content, special = false }) => ({ id, content, special }))
    .sort((a, b) => a.id - b.id);
  return { type: model.type ?? "BPE", merges: model.merges?.length ?? 0, added };
}

function describeTemplate(dir: string, { chatTemplate }: ModelFolder): ModelDescription["chatTemplate"] {
  if (chatTemplate === null) return null;
  const { chat_template: source } = readFields(dir, "tokenizer_config.json");
  // Letters alone: a template may trim or escape anything else.
  const [early, answer, late] = ["jaiFirstMessage", "jaiFirstAnswer", "jaiLastMessage"] as const;
  const carries = (role: "system" | "user") => {
    try {
      const text = chatTemplate.render(
        [
          { role, content: early },
          ...(role === "user" ? [{ role: "assistant", content: answer } as const] : []),
          { role: "user", content: late },
        ],
        { addGenerationPrompt: true, isTrial: true },
      );
      return text.includes(early) && text.includes(late);
    } catch {
      return false;
    }
  };
  return {
    source: templateOf(source),
    system: carries("system"),
    conversation: carries("user"),
    terminator: chatTemplate.terminator,
  };
}
