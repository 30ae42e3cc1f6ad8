import { readArgs } from "../settings/args.js";
import { visibleJson } from "../visible-json.js";
import { type Flags, usageOf } from "./command.js";
import { readServer, type Server, serverFlags } from "./server/server.js";
import type { History, Status } from "./server/status.js";
import { endWithReader, say } from "./terminal/output.js";
import { isCapable, stylesOf } from "./terminal/styles.js";
import { visibleLine } from "./terminal/visible.js";
import { fit } from "./terminal/width.js";
import { follow } from "./top/feed.js";
import { frame } from "./top/frame.js";
import { oneLine } from "./top/lines.js";
import { Screen } from "./top/screen.js";

export const flags = {
  ...serverFlags,
  json: { type: "boolean", description: "print one JSON object a second instead" },
} as const satisfies Flags;

export const usage = usageOf("top [FLAGS]", flags, {
  notes: [
    "Shows live what a running server does: slots (█ decode, ▒ prefill, · idle), queue, rates, latencies, the last",
    "minutes. q or Ctrl-C ends it. Piped, it prints a line a second.",
  ],
});

/** Runs until the user ends it. @throws an error with a one-line message */
export async function run(args: string[]): Promise<void> {
  const { values } = readArgs({ args, options: flags });
  const server = readServer(values);
  if (process.stdout.isTTY && isCapable() && !values.json) return watch(server);
  endWithReader();
  const onStatus = (status: Status) => say(values.json ? visibleJson(status) : oneLine(status));
  const onLost = (reason: string) => void process.stderr.write(`${reason}\n`);
  await follow(server, { onStatus, onLost }, untilInterrupted());
}

function untilInterrupted(): AbortSignal {
  const ending = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => ending.abort());
  return ending.signal;
}

async function watch(server: Server): Promise<void> {
  const ending = new AbortController();
  const end = () => ending.abort();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, end);
  const styles = stylesOf(process.stdout);
  const stopKeys = onKeys((key) => {
    if (key === "q" || key === "\u0003" || key === "\u0004") end();
  });
  // Opened by the first status, so that a refusal is told on the usual screen.
  let screen: Screen | null = null;
  let shown: [Status, History | null] | null = null;
  let trouble = "";
  const draw = () => {
    if (screen === null || shown === null) return;
    const { columns, rows } = screen.size;
    const foot = fit(trouble === "" ? "q ends" : trouble, columns);
    const lines = frame(...shown, { columns, rows: rows - 1 }, styles);
    screen.draw([...lines, trouble === "" ? styles.dim(foot) : styles.red(foot)]);
  };
  const onStatus = (status: Status, history: History | null) => {
    if (screen === null) {
      screen = new Screen(process.stdout);
      screen.onResize(draw);
    }
    shown = [status, history];
    trouble = "";
    draw();
  };
  const onLost = (reason: string) => {
    trouble = `${visibleLine(reason)}; trying again`;
    draw();
  };
  try {
    await follow(server, { onStatus, onLost }, ending.signal);
  } finally {
    (screen as Screen | null)?.close();
    stopKeys();
  }
}

/** Calls back with each key, unechoed; nothing if standard input is no terminal. Returns a function that stops it. */
function onKeys(callback: (key: string) => void): () => void {
  const { stdin } = process;
  if (!stdin.isTTY) return () => {};
  stdin.setRawMode(true);
  const listener = (keys: Buffer) => [...keys.toString()].forEach(callback);
  stdin.on("data", listener);
  return () => {
    stdin.off("data", listener);
    stdin.setRawMode(false);
    stdin.pause();
  };
}
