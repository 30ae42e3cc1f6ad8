import type { CommandWords, Slot } from "./words.js";

/** Works in bash 3.2 too, which macOS has. It needs no bash-completion. */
export function bashScript(commands: readonly CommandWords[]): string {
  return [
    "# bash completion of jai; made by: jai completion bash",
    "_jai() {",
    `  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"`,
    "  COMPREPLY=()",
    '  if [ "$COMP_CWORD" -eq 1 ]; then',
    `    ${words([...commands.map(({ name }) => name), "--help", "--version"])}`,
    "    return",
    "  fi",
    `  case "\${COMP_WORDS[1]}" in`,
    ...commands.flatMap((command) => [`    ${command.name})`, ...caseOf(command), "      ;;"]),
    "  esac",
    "}",
    "complete -F _jai jai",
  ].join("\n");
}

function caseOf({ flags, argument }: CommandWords): string[] {
  const valued = flags.filter(({ slot }) => slot !== null);
  const names = flags.map(({ name }) => `--${name}`);
  return [
    ...(valued.length === 0 ? [] : ['      case "$before" in']),
    ...valued.map(({ name, slot }) => `        --${name}) ${fill(slot!)}; return ;;`),
    ...(valued.length === 0 ? [] : ["      esac"]),
    `      if [ "\${word#-}" != "$word" ]; then ${words(names)}`,
    `      else ${argument === null ? words(names) : fill(argument)}`,
    "      fi",
  ];
}

const words = (list: readonly string[]) => `COMPREPLY=($(compgen -W '${list.join(" ")}' -- "$word"))`;

function fill({ words: list, paths }: Slot): string {
  // Line by line: a path may have spaces.
  const kind = paths === "folders" ? "-d" : "-f";
  if (paths !== null)
    return `compopt -o filenames 2>/dev/null; while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen ${kind} -W '${list.join(" ")}' -- "$word")`;
  return list.length === 0 ? "COMPREPLY=()" : words(list);
}
