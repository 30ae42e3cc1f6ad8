import { toUSVString } from "node:util";
import type { Message } from "../../../models/chat-template.js";
import { invalidBody, invalidField } from "../../errors/errors.js";
import type { Reader } from "../../texts/texts.js";
import { render } from "../render.js";
import { shown } from "./request.js";

/** A message as the schema allows it; `readConversation` checks the rest. */
export interface ChatMessage {
  role: "developer" | "system" | "user" | "assistant" | "tool" | "function";
  content?: string | ContentPart[] | null;
  name?: string | null;
  tool_calls?: unknown[] | null;
  function_call?: unknown;
}

interface ContentPart {
  type: string;
  text?: unknown;
}

/** The messages' characters in total. */
export function conversationChars(messages: readonly ChatMessage[]): number {
  return readConversation(messages).reduce((sum, { content }) => sum + content.length, 0);
}

/** The conversation as the model's input text. @throws PublicError with the template's message if it refuses */
export function renderConversation(messages: readonly ChatMessage[], reader: Reader): Promise<string> {
  return render(readConversation(messages), "messages", reader);
}

/** @throws PublicError for messages with tools or with other parts than text */
function readConversation(messages: readonly ChatMessage[]): Message[] {
  return messages.map((message, index) => {
    const { role, name } = message;
    const path = ["messages", index];
    if (role === "tool" || role === "function")
      throw unsupported([...path, "role"], "the model calls no tools, so there can be no tool's answer");
    if (message.tool_calls?.length || message.function_call)
      throw unsupported([...path, "tool_calls"], "the model calls no tools");
    return {
      // OpenAI's newer name for the same role.
      role: role === "developer" ? "system" : role,
      content: toUSVString(readContent(message, path)),
      ...(name != null && { name: toUSVString(name) }),
    };
  });
}

function readContent({ role, content }: ChatMessage, path: (string | number)[]): string {
  if (typeof content === "string") return content;
  if (content == null) {
    if (role === "assistant") return "";
    throw invalidField([...path, "content"], "expected a string or a list of parts, got none");
  }
  const texts = content.map(({ type, text }, index) => {
    const part = [...path, "content", index];
    if (type !== "text")
      throw unsupported(
        [...part, "type"],
        `expected "text", since the model reads only text, got ${shown(type)}`,
      );
    if (typeof text !== "string")
      throw invalidField([...part, "text"], `expected a string, got ${shown(text)}`);
    return text;
  });
  return texts.join("\n");
}

function unsupported(path: (string | number)[], msg: string) {
  return invalidBody({ loc: ["body", ...path], msg, type: "unsupported" });
}
