import { ImportError } from "../checkpoint/error.js";
import { PassingError } from "./passing-error.js";
import type { HubSettings } from "./settings.js";

/**
 * What an answer that is no success means to the user; the hub's X-Error-Code tells more than the status.
 * @param subject what was asked for, as the user wrote it
 */
export function refusalOf(
  { status, headers, url }: Response,
  { endpoint, token }: HubSettings,
  subject: string,
): ImportError | PassingError {
  const { host, origin } = new URL(endpoint);
  // Another host's 403 is for an address that has expired; the hub gives a new one.
  const hasExpired = status === 403 && new URL(url).origin !== origin;
  if (hasExpired || status === 408 || status === 429 || status >= 500)
    return new PassingError(`status ${status}`, waitOf(headers));
  return new ImportError(subject, describe(status, headers, { host, endpoint, token, subject }));
}

function describe(
  status: number,
  headers: Headers,
  {
    host,
    endpoint,
    token,
    subject,
  }: Pick<HubSettings, "endpoint" | "token"> & { host: string; subject: string },
): string {
  const page = `${endpoint}/${subject.replace(/^hf:/, "").replace(/@.*$/, "").split("/").slice(0, 2).join("/")}`;
  switch (headers.get("x-error-code")) {
    case "GatedRepo":
      return token === null
        ? `expected a model that anybody may read, got ${status}: it is gated; accept its license at ${page} and set HF_TOKEN`
        : `expected a model that HF_TOKEN may read, got ${status}: it is gated; accept its license at ${page} with the token's account`;
    case "RevisionNotFound":
      return `expected a branch, a tag or a commit of the model, got one that ${host} doesn't have`;
    case "EntryNotFound":
      return `expected a file or a folder of the model, got one that ${host} doesn't have`;
  }
  if (status === 401 || status === 404)
    return token === null
      ? `expected a model of ${host}, got ${status}: there is none of that name, or a private one, which needs HF_TOKEN`
      : `expected a model of ${host}, got ${status}: there is none of that name that HF_TOKEN may read${status === 401 ? ", or HF_TOKEN isn't valid" : ""}`;
  const reason = headers.get("x-error-message");
  return `expected an answer from ${host}, got status ${status}${reason ? ` (${reason})` : ""}`;
}

/** The seconds of Retry-After; null where it is a date, or absent. */
function waitOf(headers: Headers): number | null {
  const seconds = headers.get("retry-after") ?? "";
  return /^\d{1,6}$/.test(seconds) ? 1000 * Number(seconds) : null;
}
