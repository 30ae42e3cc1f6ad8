import { readFileSync, type Stats, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { nearest } from "../../nearest.js";
import { readObject } from "../server/ask.js";
import { bytes } from "../terminal/units.js";
import { visible, visibleLine } from "../terminal/visible.js";
import { table } from "../terminal/width.js";
import { checkSystem } from "./abilities.js";
import { optionNames, optionRows, readFields, withOption } from "./options.js";
import type { Session } from "./session.js";

interface SlashCommand {
  /** Its argument, for `/help`. */
  form: string;
  what: string;
  /** @returns "end" to end the program @throws an error with a one-line message */
  run(session: Session, argument: string): Promise<unknown> | unknown;
}

const commands: Readonly<Record<string, SlashCommand>> = {
  help: { form: "", what: "show this", run: ({ view }) => help().forEach((line) => void view.note(line)) },
  reset: { form: "", what: "forget the conversation; settings and the system text stay", run: reset },
  forget: { form: "", what: "drop the oldest question and answer, to make room in the context", run: forget },
  system: { form: "[TEXT]", what: "what the model is told first; none removes it", run: setSystem },
  set: { form: "[NAME VALUE]", what: "change how answers are sampled; alone, show it", run: set },
  save: {
    form: "[-f] FILE",
    what: "write the conversation as JSON, a body for /v1/chat/completions",
    run: save,
  },
  load: { form: "FILE", what: "go on with a conversation that was saved", run: load },
  exit: { form: "", what: "end the program, as Ctrl-D does", run: () => "end" },
};

/** Runs a line that begins with a slash. @returns whether the program is to end @throws as `SlashCommand.run` does */
export async function runSlash(session: Session, line: string): Promise<boolean> {
  const [, name = "", argument = ""] = /^\/(\S*)\s*(.*?)\s*$/s.exec(line) ?? [];
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) {
    const meant = nearest(name, Object.keys(commands), 2);
    const advice = meant === null ? "/help lists them" : `did you mean /${meant}?`;
    throw new Error(`no command /${visibleLine(name)}; ${advice} (a question may begin with a space)`);
  }
  if (command.form === "" && argument !== "")
    throw new Error(`/${name}: expected nothing after it, got ${JSON.stringify(argument)}`);
  return (await command.run(session, argument)) === "end";
}

/** Completions of a line, for the Tab key. */
export function completeSlash(line: string): string[] {
  const candidates = line.startsWith("/set ")
    ? optionNames.map((name) => `/set ${name} `)
    : Object.entries(commands).map(([name, { form }]) => `/${name}${form === "" ? "" : " "}`);
  return line.startsWith("/") ? candidates.filter((one) => one.startsWith(line)) : [];
}

function help(): string[] {
  const rows = Object.entries(commands).map(([name, { form, what }]) => [`/${name} ${form}`.trimEnd(), what]);
  return table([...rows, ["Ctrl-C", "stop the answer; at the prompt, end the program"]]);
}

function reset({ conversation, view }: Session): void {
  conversation.clear();
  view.note("the conversation is forgotten");
}

function forget({ conversation, view }: Session): void {
  if (!conversation.forget()) throw new Error("/forget: the conversation is empty");
  view.note(`dropped the oldest question and answer; ${count(conversation.length)}`);
}

async function setSystem({ server, conversation, view }: Session, text: string): Promise<void> {
  if (text === "") {
    const before = conversation.system;
    conversation.system = null;
    view.note(before === null ? "there is no system text" : `removed the system text: ${visible(before)}`);
    return;
  }
  await checkSystem(server, text);
  conversation.system = text;
  view.note("the system text is set; it counts from the next question on");
}

function set(session: Session, argument: string): void {
  const { view } = session;
  if (argument === "") {
    for (const line of table(optionRows(session.fields))) view.note(visibleLine(line));
    view.note("/set NAME default takes a value back");
    return;
  }
  const [, name = "", text = ""] = /^(\S+)\s*(.*)$/s.exec(argument) ?? [];
  session.fields = withOption(session.fields, name, text);
  const value = session.fields[name];
  view.note(`${name}: ${value === undefined ? "default" : visibleLine(JSON.stringify(value))}`);
}

function save({ conversation, fields, view }: Session, argument: string): void {
  const [, force, file = ""] = /^(-f\s+)?(.*)$/s.exec(argument) ?? [];
  if (file === "" || file === "-f") throw new Error("/save: expected a file, got none");
  if (conversation.messages.length === 0) throw new Error("/save: the conversation is empty");
  const text = `${JSON.stringify({ messages: conversation.messages, ...fields }, null, 2)}\n`;
  checkFile("/save", file);
  try {
    writeFileSync(pathOf(file), text, { flag: force === undefined ? "wx" : "w" });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") throw new Error(`/save: ${file} is there already; /save -f ${file} overwrites it`);
    throw new Error(`/save: ${file} can't be written: ${code}`);
  }
  view.note(`saved to ${file}: ${count(conversation.length)}`);
}

function load(session: Session, file: string): void {
  if (file === "") throw new Error("/load: expected a file, got none");
  checkFile("/load", file);
  let text: string;
  try {
    text = readFileSync(pathOf(file), "utf8");
  } catch (error) {
    throw new Error(`/load: ${file} can't be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  try {
    const saved = readObject(text);
    if (saved === null) throw new Error("expected JSON as /save writes it, got something else");
    const fields = readFields(saved);
    session.conversation.load(saved.messages);
    session.fields = fields;
  } catch (error) {
    throw new Error(`/load: ${file}: ${(error as Error).message}`);
  }
  session.view.note(`loaded ${file}: ${count(session.conversation.length)}`);
}

/** A longer one is no conversation. */
const MOST_BYTES = 2 ** 26;

/** A pipe would block the program, and Ctrl-C with it. @throws an error for what is there and can't be a conversation */
function checkFile(command: string, file: string): void {
  let found: Stats;
  try {
    found = statSync(pathOf(file));
  } catch {
    // Reading or writing it says what is wrong.
    return;
  }
  if (!found.isFile())
    throw new Error(
      `${command}: ${file}: expected a file, got ${found.isDirectory() ? "a folder" : "a device or a pipe"}`,
    );
  if (command === "/load" && found.size > MOST_BYTES)
    throw new Error(`/load: ${file}: expected at most ${bytes(MOST_BYTES)}, got ${bytes(found.size)}`);
}

const pathOf = (file: string) => (/^~[/\\]/.test(file) ? join(homedir(), file.slice(2)) : file);

const count = (turns: number) =>
  turns === 1 ? "1 question with its answer" : `${turns} questions with answers`;
