import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { ImportError } from "../checkpoint/error.js";

/** Where models come from and where they are kept, by Hugging Face's own variables. */
export interface HubSettings {
  /** Without a slash at its end. */
  endpoint: string;
  token: string | null;
  /** The folder of `models--owner--name`, which Hugging Face's libraries use too. */
  cache: string;
  /** Whether the network is left alone and only the cache is used. */
  offline: boolean;
  /** How long nothing may come before a connection counts as stalled. */
  stallMs: number;
  /** The wait before the first repetition of what has failed; it doubles each time. */
  retryMs: number;
}

const ENDPOINT = "https://huggingface.co";
const STALL_SECONDS = 30;
const RETRY_MS = 1000;

/** @throws ImportError that names the variable that is wrong */
export function hubSettings(env: NodeJS.ProcessEnv = process.env): HubSettings {
  const cache =
    env.HF_HUB_CACHE ||
    env.HUGGINGFACE_HUB_CACHE ||
    join(env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface"), "hub");
  return {
    endpoint: endpointOf(env.HF_ENDPOINT || ENDPOINT),
    token: tokenOf(env.HF_TOKEN?.trim() || null),
    cache: resolve(cache.replace(/^~(?=$|[/\\])/, homedir())),
    offline: /^(?:1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE ?? ""),
    stallMs: 1000 * secondsOf(env.HF_HUB_DOWNLOAD_TIMEOUT || String(STALL_SECONDS)),
    retryMs: RETRY_MS,
  };
}

function endpointOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isPlain = url !== null && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "";
  if (!isPlain || url.username !== "" || url.password !== "")
    throw new ImportError("HF_ENDPOINT", `expected an address such as ${ENDPOINT}, got another text`);
  return url.href.replace(/\/+$/, "");
}

/** Checks the token. The message must not show it. */
function tokenOf(token: string | null): string | null {
  if (token !== null && !/^[\x21-\x7e]{1,1000}$/.test(token))
    throw new ImportError("HF_TOKEN", "expected an access token, got a text with other characters");
  return token;
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (seconds > 0 && seconds <= 3600) return seconds;
  throw new ImportError(
    "HF_HUB_DOWNLOAD_TIMEOUT",
    `expected up to 3600 seconds, got ${JSON.stringify(text)}`,
  );
}
