import { readArgs } from "../settings/args.js";
import { type Flags, jsonFlag, usageOf } from "./command.js";
import { readServer, serverFlags } from "./server/server.js";
import { askStatus } from "./server/status.js";
import { endWithReader, say, sayJson } from "./terminal/output.js";
import { stylesOf } from "./terminal/styles.js";
import { figures, heading, queueLines } from "./top/lines.js";

export const flags = { ...serverFlags, ...jsonFlag } as const satisfies Flags;

export const usage = usageOf("ps [FLAGS]", flags, {
  notes: ["Prints once what a running server does; jai top shows it live."],
});

/** @throws an error with a one-line message */
export async function run(args: string[]): Promise<void> {
  const { values } = readArgs({ args, options: flags });
  const server = readServer(values);
  endWithReader();
  const status = await askStatus(server);
  if (values.json) return sayJson(status);
  const styles = stylesOf(process.stdout);
  const queue = queueLines(status, styles);
  const lines = [
    heading(status, styles),
    ...figures(status, styles),
    ...(queue.length > 0 ? ["", ...queue] : []),
  ];
  for (const line of lines) say(line);
}
