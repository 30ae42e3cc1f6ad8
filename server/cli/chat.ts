import { positiveInteger, readArgs, UsageError, unexpected } from "../settings/args.js";
import { checkSystem, greet, keepsConversation } from "./chat/abilities.js";
import { runSlash } from "./chat/commands.js";
import type { Fields } from "./chat/options.js";
import { pipedView, runPiped } from "./chat/piped.js";
import { Session } from "./chat/session.js";
import { Terminal } from "./chat/terminal.js";
import { type Flags, usageOf } from "./command.js";
import { readServer, type Server, serverFlags } from "./server/server.js";
import { visibleLine } from "./terminal/visible.js";

export const flags = {
  ...serverFlags,
  temperature: {
    type: "string",
    value: "T",
    description: "how freely to choose; 0 always takes the likeliest token",
  },
  "max-tokens": { type: "string", value: "N", description: "how long an answer may get" },
  system: { type: "string", value: "TEXT", description: "what the model is told first" },
  conversation: {
    type: "boolean",
    description: "piped: the lines are one conversation, not questions of their own",
  },
  json: { type: "boolean", description: "piped: one JSON object for each answer" },
} as const satisfies Flags;

export const usage = usageOf("chat [FLAGS]", flags, {
  notes: [
    "At a terminal it remembers the conversation; /help lists its commands. Ctrl-C stops the answer, and at the",
    "prompt ends the program. Piped, it answers each line of standard input, and exits with 1 at the first failure.",
  ],
});

interface Options {
  server: Server;
  system: string | null;
  fields: Fields;
  conversation: boolean;
  json: boolean;
}

/** What /chat takes by default, where /v1/chat/completions would sample from all tokens. */
const USUAL: Fields = { temperature: 0.8, top_k: 50 };

/**
 * Talks to a running server until the input ends or Ctrl-C.
 * @throws an error with a one-line message if the server can't be reached at the start, or fails to answer a question.
 * At a terminal a failed question only prints its error: the next one may succeed.
 */
export async function run(args: string[]): Promise<void> {
  const options = parse(args);
  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  if (isTerminal && options.json)
    throw new UsageError("--json: expected questions on a pipe, got a terminal");
  const model = await greet(options.server);
  if (options.system !== null) await checkSystem(options.server, options.system);
  if (isTerminal) await converse(options, model);
  else {
    const { server, conversation, json, system } = options;
    const fields = conversation || system !== null ? { ...USUAL, ...options.fields } : options.fields;
    const session = new Session({ server, context: model.context, fields, view: pipedView(json) });
    session.conversation.system = system;
    session.conversation.remembers = conversation && (await keepsConversation(server));
    await runPiped(session, { conversation, json });
  }
}

async function converse(
  options: Options,
  { name, context }: Awaited<ReturnType<typeof greet>>,
): Promise<void> {
  const { server, system, fields } = options;
  const view = new Terminal(process.stdout, {
    onInterrupt: () => {
      if (session.stop()) return;
      process.stdout.write("\n");
      view.close();
      process.exit(0);
    },
    onEnd: () => void session.stop(),
  });
  const session = new Session({ server, context, fields: { ...USUAL, ...fields }, view });
  session.conversation.system = system;
  view.note(`${visibleLine(name)} at ${server.url}; /help lists commands, Ctrl-D ends`);
  if (!(await keepsConversation(server))) {
    session.conversation.remembers = false;
    view.note("the model's chat template has no place for earlier questions: it sees each question alone");
  }
  for (let line = await view.question(); line !== null; line = await view.question()) {
    if (await takes(session, line)) break;
  }
  view.close();
}

/** Carries out one line. Resolves to whether the program is to end. */
async function takes(session: Session, line: string): Promise<boolean> {
  if (line.trim() === "") return false;
  try {
    if (line.startsWith("/")) return await runSlash(session, line);
    await session.ask(line.trim());
  } catch (error) {
    session.view.error((error as Error).message);
  }
  return false;
}

function parse(args: string[]): Options {
  const { values } = readArgs({ args, options: flags });
  const { temperature, "max-tokens": maxTokens, system, conversation = false, json = false } = values;
  const server = readServer(values);
  if (temperature !== undefined && !(/^\d+(\.\d+)?$/.test(temperature) && Number.isFinite(+temperature)))
    throw unexpected("temperature", "a number from 0", temperature);
  return {
    server,
    system: system || null,
    conversation,
    json,
    fields: {
      ...(temperature !== undefined && { temperature: Number(temperature) }),
      ...(maxTokens !== undefined && { max_tokens: positiveInteger("max-tokens", maxTokens) }),
    },
  };
}
