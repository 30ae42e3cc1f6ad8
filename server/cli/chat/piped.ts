import { createInterface } from "node:readline";
import { visibleJson } from "../../visible-json.js";
import { ask, notJai } from "../server/ask.js";
import { endWithReader, say } from "../terminal/output.js";
import { visible } from "../terminal/visible.js";
import { runSlash } from "./commands.js";
import type { Session } from "./session.js";
import type { View } from "./view.js";

export interface PipedOptions {
  /** Lines are one conversation, in which slash commands count; otherwise each is a question of its own. */
  conversation: boolean;
  /** Print one JSON object for each answer. */
  json: boolean;
}

/** A terminal gets no control characters; a file or another program gets what the model wrote. */
const clean = (text: string) => (process.stdout.isTTY ? visible(text) : text);

/**
 * Answers each non-empty line of standard input on standard output.
 * @throws an error with a one-line message at the first failure
 */
export async function runPiped(session: Session, { conversation, json }: PipedOptions): Promise<void> {
  endWithReader();
  process.on("SIGINT", () => {
    process.stdout.write("\n");
    process.exit(0);
  });
  const alone = !conversation && session.conversation.system === null;
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === "") continue;
    if (conversation && line.startsWith("/")) {
      if (await runSlash(session, line)) return;
    } else if (alone) await answerAlone(session, line, json);
    else await answerInTurn(session, line, json);
  }
}

async function answerAlone({ server, fields }: Session, prompt: string, json: boolean): Promise<void> {
  const answer = await ask(server, "chat", { body: { ...fields, prompt } });
  if (typeof answer.generated !== "string") throw notJai(server);
  say(json ? visibleJson(answer) : clean(answer.generated.trimEnd()));
}

async function answerInTurn(session: Session, question: string, json: boolean): Promise<void> {
  const answer = await session.ask(question);
  if (answer === null || !json) return;
  const { text, finishReason, usage } = answer;
  say(visibleJson({ generated: text, finish_reason: finishReason, usage }));
}

/** Prints answers alone, and notes on standard error. */
export function pipedView(json: boolean): View {
  return {
    text: (piece) => {
      if (!json) process.stdout.write(clean(piece));
    },
    endText: () => {
      if (!json) process.stdout.write("\n");
    },
    wait: () => {},
    endWait: () => {},
    note: (line) => process.stderr.write(`${visible(line)}\n`),
    error: (line) => process.stderr.write(`${visible(line)}\n`),
  };
}
