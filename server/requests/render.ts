import type { Message } from "../../models/chat-template.js";
import { ModelError } from "../../models/files/error.js";
import { invalidField } from "../errors/errors.js";
import type { Reader } from "../texts/texts.js";

/**
 * A conversation as the model's input text.
 * @param field of the body that holds the conversation
 * @throws PublicError with the template's message if it refuses
 */
export async function render(messages: readonly Message[], field: string, reader: Reader): Promise<string> {
  try {
    return await reader.render(messages);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    const reason = error.message.replace(/^chat_template: cannot render this conversation: /, "");
    throw invalidField([field], `the model's chat template refuses these messages: ${reason}`);
  }
}
