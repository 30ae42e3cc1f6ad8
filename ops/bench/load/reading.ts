import type { ModelFolder } from "../../../models/folder.js";

/** How a model reads a question. */
export interface Reading {
  /** The prompt of a question, up to where its answer begins. */
  frame: (question: string) => string;
  encode: (text: string) => number[];
}

/** By the model's chat template; a model without one reads the question alone. */
export const readingOf = ({
  tokenizer,
  chatTemplate,
}: Pick<ModelFolder, "tokenizer" | "chatTemplate">): Reading => ({
  frame: (content) =>
    chatTemplate?.render([{ role: "user", content }], { addGenerationPrompt: true }) ?? content,
  encode: (text) => tokenizer.encode(text),
});
