import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "./client.js";
import { PeerProcess } from "./process.js";

const LOAD_MS = 60_000;
const POLL_MS = 50;

/** A peer's server on a free port of the loopback interface. */
export class HttpPeer {
  private constructor(
    readonly client: Client,
    readonly process: PeerProcess,
  ) {}

  /**
   * Starts the server and waits until `/health` answers 200.
   * @throws Error with a one-line message if it ends, or takes longer than a minute
   */
  static async start(command: string, args: (port: number) => readonly string[]): Promise<HttpPeer> {
    const port = await freePort();
    const peer = new HttpPeer(new Client(port), new PeerProcess(command, args(port)));
    let failure: string | undefined;
    void peer.process.ended.then((reason) => {
      failure = reason;
    });
    const giveUp = performance.now() + LOAD_MS;
    while (!(await peer.isUp())) {
      if (failure === undefined && performance.now() > giveUp) {
        await peer.stop();
        failure = `it did not answer within ${LOAD_MS / 1000} s`;
      }
      if (failure !== undefined) throw new Error(`${basename(command)}: ${failure}`);
      await sleep(POLL_MS);
    }
    return peer;
  }

  isUp(): Promise<boolean> {
    return this.client.get("/health").then(
      () => true,
      () => false,
    );
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.process.stop();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}
