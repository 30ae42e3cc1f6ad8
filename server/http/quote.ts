import { excerpt, type Log } from "../log.js";

/** The start of a body's prompt, to recognize the request in the log: `: 판교에서 백엔드…`; empty where prompts are hidden. */
export function quote(body: object, { hidesPrompts }: Pick<Log, "hidesPrompts">): string {
  return hidesPrompts ? "" : `: ${excerpt(beginning(body))}`;
}

/** The first prompt, or the first part of the last message. */
function beginning(body: object): string {
  const { prompt, messages } = body as { prompt?: unknown; messages?: { content?: unknown }[] };
  const said = prompt ?? messages?.at(-1)?.content;
  const [first] = Array.isArray(said) ? said : [said];
  if (typeof first === "number") return JSON.stringify((said as unknown[]).slice(0, 50));
  const { text } = typeof first === "string" ? { text: first } : ((first ?? {}) as { text?: unknown });
  return typeof text === "string" ? text : "";
}
