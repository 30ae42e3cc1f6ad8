import { once } from "node:events";
import type { Server } from "node:http";
import { type AddressInfo, isIPv6 } from "node:net";
import type { Config } from "../settings/config.js";
import type { ParentLink } from "./parent-link.js";

/**
 * Resolves to the server's URL.
 * @param setting names the port's variable and flag, for the error
 * @param parent has the socket of a server that crashed, and gets this one's
 * @throws an error with a one-line message if it can't listen
 */
export async function listen(
  server: Server,
  { host, port }: Pick<Config, "host" | "port">,
  setting = "JAI_PORT or --port",
  parent: ParentLink | null = null,
): Promise<string> {
  const name = (at: number) => `${isIPv6(host) ? `[${host}]` : host}:${at}`;
  const socket = (await parent?.take()) ?? null;
  if (socket === null) server.listen(port, host);
  else server.listen(socket);
  try {
    await once(server, "listening");
    parent?.keep(server);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reasons: Record<string, string> = {
      EADDRINUSE: `the port is taken; ${setting} names another`,
      EACCES: "not permitted; ports below 1024 usually aren't",
      EADDRNOTAVAIL: "this machine has no such address",
      ENOTFOUND: "there is no such host",
    };
    throw new Error(`cannot listen on ${name(port)}: ${reasons[code ?? ""] ?? (error as Error).message}`);
  }
  return `http://${name((server.address() as AddressInfo).port)}`;
}
