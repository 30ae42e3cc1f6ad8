import { lookup as resolve } from "node:dns";
import { type RequestOptions, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { isPublicAddress } from "./public-address.js";

/** Whether callbacks may go to private addresses. */
export type PrivateAddresses = "refuse" | "allow";

const LONGEST_URL = 2048;

const PERMISSION = "JAI_CALLBACK_PRIVATE=allow permits others";

/** Why callbacks to a URL are refused, judged by the URL alone; null if it is accepted. */
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

/** The host without an IPv6 address's brackets. (`URL` normalizes every form of IPv4 address to dotted decimal.) */
const hostOf = ({ hostname }: URL) => hostname.replace(/^\[(.*)\]$/, "$1");

export interface CallbackRequest {
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface SenderOptions {
  addresses: PrivateAddresses;
  timeoutMs?: number;
  /** Finds a name's addresses. Default: `dns.lookup` with `all`. */
  lookup?: typeof lookupAll;
}

const TIMEOUT_MS = 15_000;

/**
 * Makes a function that POSTs a callback and resolves to the answer's status. It follows no redirects and doesn't read
 * the answer's body. It checks the addresses that a name resolves to, and connects to exactly these: a second lookup
 * could find others (DNS rebinding).
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
      // A new connection for each callback, without a proxy.
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
