import { UsageError, unexpected } from "../../settings/args.js";
import { isKey, keyForm } from "../../settings/key.js";
import type { Flags } from "../command.js";

/** A running server, as a command was given it. */
export interface Server {
  /** Ends with a slash, so that paths are resolved below it. */
  url: string;
  /** Secret: sent to this server only, never part of a message. */
  key: string | undefined;
}

/** Flags of all commands that ask a running server. */
export const serverFlags = {
  url: {
    type: "string",
    value: "URL",
    description: "the server; default http://127.0.0.1:JAI_PORT, or port 8000",
  },
  key: {
    type: "string",
    value: "KEY",
    description: "for a server with keys; JAI_API_KEY is safer: it is in no process list",
  },
} as const satisfies Flags;

/** @throws UsageError */
export function readServer(values: { url?: string | undefined; key?: string | undefined }): Server {
  const { key = process.env.JAI_API_KEY } = values;
  const { url = `http://127.0.0.1:${process.env.JAI_PORT || 8000}` } = values;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw unexpected("url", "a URL of http or https", url);
  if (key && !isKey(key)) throw new UsageError(`--key or JAI_API_KEY: expected ${keyForm}`);
  return { url: url.endsWith("/") ? url : `${url}/`, key };
}
