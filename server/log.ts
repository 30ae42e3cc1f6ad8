import { createLogger, format, transports } from "winston";
import { STEERING, visibleJson } from "./visible-json.js";

type Level = "error" | "warn" | "info" | "debug";

export interface LogOptions {
  logLevel: Level;
  logFormat: "text" | "json";
  /** Whether lines may quote prompts. */
  logPrompts: "on" | "off";
}

/** One line per event. `fields` repeat a line's facts about a request, for the JSON format. */
export type Log = Record<Level, (message: string, fields?: Readonly<Record<string, unknown>>) => void> & {
  /** If true, callers must leave prompts, and all that may quote them, out of their lines. */
  readonly hidesPrompts?: boolean;
};

/** Python's level names, as in the log of the replaced FastAPI server: tools that read it search for them. */
const names: Record<string, string> = { error: "ERROR", warn: "WARNING", info: "INFO", debug: "DEBUG" };

/** The server's own log. */
export interface LevelledLog extends Log {
  /** Switches the level to debug, or back to the one it was set to, and says so. */
  toggleDebug(): void;
}

/** Logs to standard output. */
export function createLog(options: LogOptions): LevelledLog {
  const logger = createLogger({
    level: options.logLevel,
    format: format.printf((entry) => render(entry, options.logFormat)),
    transports: [new transports.Console()],
  });
  const at =
    (level: Level): Log[Level] =>
    (message, fields) =>
      void logger.log({ level, message, fields });
  const hidesPrompts = options.logPrompts === "off";
  const log = { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug"), hidesPrompts };
  const toggleDebug = () => {
    const { logLevel } = options;
    const isRaised = logger.level !== logLevel;
    logger.level = "debug";
    // Said at debug, the level at which every setting of the log lets it through.
    if (logLevel === "debug") log.debug("the log's level is debug already");
    else
      log.debug(
        isRaised ? `the log's level is ${logLevel} again` : `the log's level is debug, and was ${logLevel}`,
      );
    if (isRaised) logger.level = logLevel;
  };
  return { ...log, toggleDebug };
}

/** `2026-01-31 12:00:00 - jai-server - INFO - message`, or one JSON object. */
export function render(
  entry: { level: string; message: unknown; fields?: unknown },
  style: LogOptions["logFormat"],
  now = new Date(),
): string {
  const level = names[entry.level] ?? entry.level;
  if (style === "json") {
    const { message, fields } = entry;
    return visibleJson({
      time: now.toISOString(),
      logger: "jai-server",
      level,
      message,
      ...(fields ?? {}),
    });
  }
  return `${localTime(now)} - jai-server - ${level} - ${escapeControls(String(entry.message))}`;
}

/** The first 50 characters of a text, on one line. */
export function excerpt(text: string): string {
  // 102 units hold 51 characters of two units each: no need to walk a long prompt.
  const characters = [...text.slice(0, 102)];
  const start = characters.slice(0, 50).join("");
  return escapeControls(characters.length > 50 ? `${start}…` : start);
}

/** Escapes control characters, so that a prompt can't forge a log line or steer a terminal. */
export function escapeControls(text: string): string {
  return text.replace(STEERING, (character) => {
    if (character === "\n") return "\\n";
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}

const two = (n: number) => String(n).padStart(2, "0");

function localTime(date: Date): string {
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
