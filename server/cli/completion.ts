import { readArgs, UsageError } from "../settings/args.js";
import type { CommandTable, Flags } from "./command.js";
import { bashScript } from "./completion/bash.js";
import { fishScript } from "./completion/fish.js";
import { wordsOf } from "./completion/words.js";
import { zshScript } from "./completion/zsh.js";
import { endWithReader, say } from "./terminal/output.js";

export const flags: Flags = {};

export const argument = "bash|zsh|fish";

export const usage = [
  "Usage: jai completion bash|zsh|fish",
  "",
  "  bash   source <(jai completion bash)        in ~/.bashrc",
  "  zsh    source <(jai completion zsh)         in ~/.zshrc, after compinit",
  "  fish   jai completion fish | source         in ~/.config/fish/config.fish",
].join("\n");

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** Prints a script made of the table of commands and their flags. */
export async function run(args: string[], table: CommandTable): Promise<void> {
  const { positionals } = readArgs({ args, options: {}, allowPositionals: true });
  const [shell = "nothing", ...more] = positionals;
  const script = Object.entries(scripts).find(([name]) => name === shell)?.[1];
  if (script === undefined || more.length > 0)
    throw new UsageError(`expected ${argument}, got ${positionals.join(" ") || "nothing"}`);
  endWithReader();
  const loaded = await Promise.all(
    Object.entries(table).map(async ([name, { summary, load }]) => {
      // The benchmark is missing in the npm package.
      const command = await load().catch(() => null);
      return command === null ? [] : [wordsOf(name, summary, command)];
    }),
  );
  say(script(loaded.flat()));
}
