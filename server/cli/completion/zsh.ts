import type { CommandWords, Slot } from "./words.js";

export function zshScript(commands: readonly CommandWords[]): string {
  return [
    "#compdef jai",
    "# zsh completion of jai; made by: jai completion zsh",
    "_jai() {",
    "  if (( CURRENT == 2 )); then",
    "    local -a commands=(",
    ...commands.map(({ name, summary }) => `      ${quoted(`${name}:${summary.replaceAll(":", "\\:")}`)}`),
    "    )",
    "    _describe command commands",
    "    return",
    "  fi",
    "  local command=$words[2]",
    "  shift words",
    "  (( CURRENT-- ))",
    "  case $command in",
    ...commands.flatMap((command) => [
      `    ${command.name})`,
      `      _arguments ${specsOf(command).map(quoted).join(" \\\n        ")}`,
      "      ;;",
    ]),
    "  esac",
    "}",
    "(( $+functions[compdef] )) && compdef _jai jai",
  ].join("\n");
}

function specsOf({ flags, argument }: CommandWords): string[] {
  return [
    ...flags.map(({ name, description, slot }) => {
      const told = `--${name}[${escaped(description || name)}]`;
      return slot === null ? told : `${told}:value:${actionOf(slot)}`;
    }),
    ...(argument === null ? [] : [`*:argument:${actionOf(argument)}`]),
  ];
}

function actionOf({ words, paths }: Slot): string {
  if (paths !== null) return paths === "folders" ? "_files -/" : "_files";
  return words.length === 0 ? " " : `(${words.join(" ")})`;
}

const escaped = (text: string) => text.replace(/[[\]:\\]/g, "\\$&");
const quoted = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
