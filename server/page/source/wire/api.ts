import { ApiError, OfflineError } from "./errors.js";
import { forgetKey, readKey } from "./key.js";

/** Where a path of the API is, also below a proxy's path prefix. */
export const address = (path: string) => new URL(path.replace(/^\//, ""), document.baseURI).href;

export interface Ask {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/**
 * Sends a request with the tab's key.
 * @throws {ApiError} for any status but 2xx
 * @throws {OfflineError} if no response came
 */
export async function ask(
  path: string,
  { method = "GET", body, headers, signal }: Ask = {},
): Promise<Response> {
  const key = readKey();
  let response: Response;
  try {
    response = await fetch(address(path), {
      method,
      cache: "no-store",
      headers: {
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(key !== "" && { authorization: `Bearer ${key}` }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  } catch (error) {
    throw signal?.aborted ? error : new OfflineError();
  }
  if (response.ok) return response;
  const error = await ApiError.of(response);
  if (error.status === 401) {
    const now = readKey();
    // A new key came while the old one was refused: that says nothing of the new one.
    if (now !== key && now !== "")
      return ask(path, { method, body, ...(headers && { headers }), ...(signal && { signal }) });
    forgetKey();
  }
  throw error;
}

export async function askJson<T>(path: string, request?: Ask): Promise<T> {
  return (await ask(path, request)).json() as Promise<T>;
}
