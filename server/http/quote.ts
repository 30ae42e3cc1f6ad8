import { excerpt, type Log } from "../log.js";

/** For the log, something of a generating body to know the request by: `: 판교에서 백엔드…`; nothing where prompts are hidden. */
export function quote(body: object, { hidesPrompts }: Pick<Log, "hidesPrompts">): string {
  return hidesPrompts ? "" : `: ${excerpt(beginning(body))}`;
}

/** Of several prompts, or parts of a message, the first. */
function beginning(body: object): string {
  const { prompt, messages } = body as { prompt?: unknown; messages?: { content?: unknown }[] };
  const said = prompt ?? messages?.at(-1)?.content;
  const [first] = Array.isArray(said) ? said : [said];
  if (typeof first === "number") return JSON.stringify((said as unknown[]).slice(0, 50));
  const { text } = typeof first === "string" ? { text: first } : ((first ?? {}) as { text?: unknown });
  return typeof text === "string" ? text : "";
}
