import { createHash } from "node:crypto";
import { setInterval } from "node:timers/promises";
import type { Log } from "../log.js";
import { type Config, ConfigError, environmentName, settings } from "../settings/config.js";
import { Callers } from "./callers.js";
import { KeyFileError, parseKeyFile, readKeyFile } from "./key-file.js";

/** Interval at which a key file is read. */
const INTERVAL_MS = 1000;

export type KeySettings = Pick<Config, "apiKeys" | "apiKeysFile">;

/** Reads the callers from the settings, and follows a key file from then on. @throws ConfigError */
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
  /** The file's content that `callers` were made from. */
  bytes: Uint8Array;
  callers: Callers;
  log: Log;
  intervalMs?: number;
  signal?: AbortSignal;
}

/**
 * Updates the callers when the key file changes. While it is missing or invalid, the previous keys stay valid. Resolves
 * when the signal is aborted.
 *
 * It polls, because polling works for every file and every way to replace it: editors that rename, symbolic links that
 * are pointed elsewhere, network and bind mounts. File system notifications miss some of these.
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
    if (message !== null && message !== complaint)
      log.error(`${path}: ${message}; the previous keys stay valid`);
    complaint = message;
  };
  // Without a signal nothing could end the polling, so it must not keep the process alive.
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

/** Compared in place of the file's text, which must not stay in memory. */
const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
