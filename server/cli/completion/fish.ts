import type { CommandWords, Slot } from "./words.js";

export function fishScript(commands: readonly CommandWords[]): string {
  return [
    "# fish completion of jai; made by: jai completion fish",
    "complete -c jai -f",
    ...commands.flatMap(({ name, summary, flags, argument }) => {
      const here = `complete -c jai -n ${quoted(`__fish_seen_subcommand_from ${name}`)}`;
      return [
        `complete -c jai -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
        ...(argument === null ? [] : [`${here}${fill(argument)}`]),
        ...flags.map(
          ({ name: flag, description, slot }) =>
            `${here} -l ${flag}${slot === null ? "" : value(slot)}${description ? ` -d ${quoted(description)}` : ""}`,
        ),
      ];
    }),
  ].join("\n");
}

/** A flag's value; `-x` would forbid files. */
const value = (slot: Slot) => `${slot.paths === "files" ? " -r" : " -x"}${fill(slot)}`;

function fill({ words, paths }: Slot): string {
  if (paths === "folders") return ` -a ${quoted("(__fish_complete_directories)")}`;
  if (paths === "files") return " -F";
  return words.length === 0 ? "" : ` -a ${quoted(words.join(" "))}`;
}

const quoted = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`;
