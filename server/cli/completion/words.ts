import type { Command } from "../command.js";

/** A place in a command line that completion fills. */
export interface Slot {
  /** Words that may stand there. */
  words: string[];
  /** Paths that may. */
  paths: "files" | "folders" | null;
}

export interface CommandWords {
  name: string;
  summary: string;
  /** `slot` is null for a flag without a value. */
  flags: { name: string; description: string; slot: Slot | null }[];
  argument: Slot | null;
}

/** What completion needs to know of a command. */
export function wordsOf(name: string, summary: string, command: Command): CommandWords {
  const flags = Object.entries(command.flags).map(([flag, { type, value = "", description = "" }]) => ({
    name: flag,
    description,
    slot: type === "boolean" ? null : slotOf(value),
  }));
  const help = { name: "help", description: "show the command's flags", slot: null };
  return {
    name,
    summary,
    flags: [...flags, help],
    argument: command.argument ? slotOf(command.argument) : null,
  };
}

/** Of a placeholder such as `FILE`, `auto|N` or `int8|fp32`: what is written in small letters stands for itself. */
function slotOf(placeholder: string): Slot {
  const parts = placeholder.split("|");
  const has = (name: string) => parts.some((part) => part.endsWith(name));
  const paths = has("FILE") || has("PATH") ? "files" : has("DIR") ? "folders" : null;
  return { words: parts.filter((part) => /^[a-z0-9]+$/.test(part)), paths };
}
