import { createHash } from "node:crypto";
import { setInterval } from "node:timers/promises";
import type { Log } from "../log.js";
import { type Config, ConfigError, environmentName, settings } from "../settings/config.js";
import { Callers } from "./callers.js";
import { KeyFileError, parseKeyFile, readKeyFile } from "./key-file.js";

/** How often a file of keys is looked at. */
const INTERVAL_MS = 1000;

export type KeySettings = Pick<Config, "apiKeys" | "apiKeysFile">;

/** The callers that the settings name; a file of keys is followed from then on. @throws ConfigError */
export async function openCallers(
  { apiKeys, apiKeysFile }: KeySettings,
  log: Log,
  signal?: AbortSignal,
): Promise<Callers> {
  if (apiKeysFile === "none") {
    if (apiKeys !== "none") log.info(`API keys: ${apiKeys.length}`);
    return new Callers(apiKeys === "none" ? null : apiKeys);
  }
  const name = environmentName(settings.apiKeysFile.flag);
  if (apiKeys !== "none")
    throw new ConfigError(
      `${name}: expected no ${environmentName(settings.apiKeys.flag)} beside it, got both`,
    );
  try {
    const bytes = await readKeyFile(apiKeysFile);
    const keys = parseKeyFile(bytes);
    const callers = new Callers(keys);
    log.info(`API keys: ${keys.length}, from ${apiKeysFile}`);
    void followKeyFile({ path: apiKeysFile, bytes, callers, log, ...(signal && { signal }) });
    return callers;
  } catch (error) {
    if (!(error instanceof KeyFileError)) throw error;
    throw new ConfigError(`${name}: ${apiKeysFile}: ${error.message}`);
  }
}

interface Following {
  path: string;
  /** The file, as the callers have it. */
  bytes: Uint8Array;
  callers: Callers;
  log: Log;
  intervalMs?: number;
  signal?: AbortSignal;
}

/**
 * Gives the callers the file's keys whenever it has changed; while it is missing or wrong they keep those before.
 * Resolves when the signal is aborted.
 *
 * It is read again and again, since that works wherever a file lies and however it is replaced: by editors that rename,
 * by symbolic links that turn, on network and bind mounts. The system's notices of changes miss one or other of these.
 */
export async function followKeyFile({
  path,
  bytes,
  callers,
  log,
  intervalMs,
  signal,
}: Following): Promise<void> {
  let taken = digest(bytes);
  let complaint: string | null = null;
  const complain = (error: KeyFileError | null) => {
    const message = error?.message ?? null;
    if (message !== null && message !== complaint) log.error(`${path}: ${message}; the keys before stay`);
    complaint = message;
  };
  // Without a signal nothing else could end it, so the process doesn't stay for it.
  const options = signal === undefined ? { ref: false } : { signal };
  const ticks = setInterval(intervalMs ?? INTERVAL_MS, undefined, options);
  try {
    for await (const _ of ticks) {
      try {
        const found = await readKeyFile(path);
        if (digest(found) !== taken) {
          const keys = parseKeyFile(found);
          callers.replace(keys);
          taken = digest(found);
          log.info(`API keys: ${keys.length}, from ${path}, which has changed`);
        }
        complain(null);
      } catch (error) {
        if (!(error instanceof KeyFileError)) throw error;
        complain(error);
      }
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}

/** Stands for the file, whose text is not to be kept. */
const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
