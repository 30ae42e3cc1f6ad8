/** A flag of a command: what `parseArgs` needs, and what usage and completion tell of it. */
export interface Flag {
  type: "string" | "boolean";
  multiple?: boolean;
  default?: string | boolean | string[];
  /** Placeholder of its value: `FILE` and `DIR` complete to paths, words such as `int8|fp32` to themselves. */
  value?: string;
  description?: string;
}

export type Flags = Readonly<Record<string, Flag>>;

/** Exports of a command's module. */
export interface Command {
  /** For `jai COMMAND --help`. */
  usage: string;
  /** For shell completion. */
  flags: Flags;
  /** Placeholder of its first argument, as a flag's `value`; absent if it takes none. */
  argument?: string;
  /**
   * Resolves when the command is done; for `serve`, when the server is ready, which then runs until a signal.
   * @throws UsageError for wrong usage
   * @throws an error whose message is the one line that the user sees
   */
  run(args: string[], table: CommandTable): Promise<void>;
}

export type CommandTable = Readonly<Record<string, { summary: string; load: () => Promise<Command> }>>;

/** A command's usage: its forms, what its arguments mean, and a line for each flag. */
export function usageOf(
  forms: string,
  flags: Flags,
  {
    rows = [],
    notes = [],
  }: { rows?: readonly (readonly [string, string])[]; notes?: readonly string[] } = {},
): string {
  const all = [
    ...rows,
    ...Object.entries(flags).map(
      ([name, { value, description = "" }]) => [`--${name}${value ? ` ${value}` : ""}`, description] as const,
    ),
  ];
  const width = Math.max(...all.map(([left]) => left.length)) + 2;
  return [
    `Usage: jai ${forms}`,
    "",
    ...all.map(([left, right]) => `  ${left.padEnd(width)}${right}`),
    ...(notes.length > 0 ? ["", ...notes] : []),
  ].join("\n");
}

export const jsonFlag = { json: { type: "boolean", description: "print JSON" } } as const satisfies Flags;
