import { domainToASCII } from "node:url";

export const allowedHostsForm =
  "none, * or host names separated by commas, without a port (jai.example.com, or .example.com with all below it)";

/** Reads a list of host names; null for an invalid one. Names are in the form that `Host` headers are compared in. */
export function parseAllowedHosts(text: string): readonly string[] | "none" | "*" | null {
  if (text === "none" || text === "*") return text;
  const names = text.split(",").map((name) => normalName(name.trim()));
  return names.every((name) => name !== null) ? names : null;
}

function normalName(text: string): string | null {
  const dot = text.startsWith(".") ? "." : "";
  const name = text.slice(dot.length).replace(/\.$/, "");
  // An IPv6 address has its brackets, as in a URL.
  if (/^\[[\da-f:.]+\]$/i.test(name) && URL.canParse(`http://${name}`))
    return new URL(`http://${name}`).hostname;
  // domainToASCII cuts a port or a path off.
  const ascii = /[:/?#@\\]/.test(name) ? "" : domainToASCII(name);
  return /^[\w-]+(\.[\w-]+)*$/.test(ascii) ? dot + ascii : null;
}
