import { lookup as resolve } from "node:dns";
import { type RequestOptions, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { isPublicAddress } from "./public-address.js";

/** Whether callbacks may go to addresses that are not public. */
export type PrivateAddresses = "refuse" | "allow";

const LONGEST_URL = 2048;

const PERMISSION = "JAI_CALLBACK_PRIVATE=allow permits others";

/** Why a URL can't be called back, as far as the URL alone shows; null if it can. */
export function checkCallbackUrl(text: string, addresses: PrivateAddresses): string | null {
  if (text.length > LONGEST_URL) return `expected a URL of at most ${LONGEST_URL} characters`;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") return "expected an http or https URL";
  if (url.username !== "" || url.password !== "") return "expected a URL without user name and password";
  const host = hostOf(url);
  const isLocalName = /(^|\.)localhost\.?$/.test(host);
  if (addresses === "refuse" && (isLocalName || (isIP(host) !== 0 && !isPublicAddress(host))))
    return `expected a public address; ${PERMISSION}`;
  return null;
}

/** `URL` has written every form of an IPv4 address as four decimal numbers by now. */
const hostOf = ({ hostname }: URL) => hostname.replace(/^\[(.*)\]$/, "$1");

export interface CallbackRequest {
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface SenderOptions {
  addresses: PrivateAddresses;
  timeoutMs?: number;
  /** Finds a name's addresses; as `dns.lookup` with `all`. */
  lookup?: typeof lookupAll;
}

const TIMEOUT_MS = 15_000;

/**
 * Makes a function that POSTs a callback and resolves to the answer's status. Redirects are not followed, and the answer's
 * body is not read. A name's addresses are looked at when they are known, and the connection goes to those very addresses:
 * a second look-up could find others.
 */
export function callbackSender({
  addresses,
  timeoutMs = TIMEOUT_MS,
  lookup = lookupAll,
}: SenderOptions): (request: CallbackRequest) => Promise<number> {
  const pinned: LookupFunction = (hostname, options, callback) => {
    lookup(hostname, (error, found) => {
      if (error !== null) return callback(error, []);
      const hidden = addresses === "refuse" && found.find(({ address }) => !isPublicAddress(address));
      if (hidden)
        return callback(new Error(`${hostname} has an address that is not public; ${PERMISSION}`), []);
      const [first] = found;
      if (first === undefined) return callback(new Error(`${hostname} has no address`), []);
      if (options.all) callback(null, found);
      else callback(null, first.address, first.family);
    });
  };
  return ({ url: text, headers, body }) => {
    const wrong = checkCallbackUrl(text, addresses);
    if (wrong !== null) return Promise.reject(new Error(wrong));
    const url = new URL(text);
    const options: RequestOptions = {
      method: "POST",
      // No connection is used for anything else, and no proxy comes between.
      agent: false,
      lookup: pinned,
      headers: {
        ...headers,
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "user-agent": "jai-server",
      },
    };
    return new Promise((resolve, reject) => {
      const request = url.protocol === "https:" ? requestHttps(url, options) : requestHttp(url, options);
      const timer = setTimeout(() => {
        request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      request.on("response", (response) => {
        resolve(response.statusCode!);
        request.destroy();
      });
      request.on("error", reject);
      request.on("close", () => {
        clearTimeout(timer);
        reject(new Error("the connection closed without an answer"));
      });
      request.end(body);
    });
  };
}

function lookupAll(
  hostname: string,
  callback: (error: NodeJS.ErrnoException | null, addresses: { address: string; family: number }[]) => void,
): void {
  resolve(hostname, { all: true, verbatim: true }, callback);
}
