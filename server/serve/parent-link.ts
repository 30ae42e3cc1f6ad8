import type { Server } from "node:http";

/** A child's environment has its parent's process id under this name. */
export const PARENT = "JAI_PARENT";

/**
 * From the child: `take` asks for a listening socket, `keep` brings one, `ready` says that the model is loaded. From the
 * parent: `take` answers, with a socket if the child before left one; `keep` says that the child alone answers now.
 */
export type Message = "take" | "keep" | "ready";

/** Node's own object for a socket, which neither reads nor accepts until a server takes it. */
export interface ListeningSocket {
  close(): void;
}

/** A server's socket. Node's types don't have the property, which every release has. */
export const heldBy = (server: Server) => (server as unknown as { _handle: ListeningSocket })._handle;

/** The child's end of the channel to its parent (`server/serve/parent.ts`). */
export class ParentLink {
  /** Resolves when the child alone answers on the socket that it has let the parent keep. */
  alone: Promise<void> = Promise.resolve();

  private constructor(private readonly send: NonNullable<typeof process.send>) {}

  /** Null if no parent watches over this process. */
  static open(): ParentLink | null {
    // Another program may run the server with a channel of its own.
    const isChild = process.env[PARENT] === String(process.ppid);
    return isChild && process.send ? new ParentLink(process.send.bind(process)) : null;
  }

  /** The socket that the last child listened on, if it crashed. */
  async take(): Promise<ListeningSocket | null> {
    return (await this.#ask("take")) ?? null;
  }

  /** Lets the parent have the server's socket too. */
  keep(server: Server): void {
    // On Windows a socket that two processes listen on is not handed from one to the other reliably.
    if (process.platform !== "win32") this.alone = this.#ask("keep", heldBy(server)).then(() => {});
  }

  ready(): void {
    this.#tell("ready");
  }

  /** Calls back when the parent is gone, which would have passed on signals. */
  onGone(callback: () => void): void {
    if (process.connected) process.once("disconnect", callback);
    else callback();
  }

  /** Resolves to the socket that comes with the answer, if any; at once if the parent is gone. */
  #ask(message: Message, socket?: ListeningSocket): Promise<ListeningSocket | undefined> {
    return new Promise((resolve) => {
      process.once("message", (_answer, answered) => resolve(answered as ListeningSocket | undefined));
      this.onGone(() => resolve(undefined));
      this.#tell(message, socket);
    });
  }

  #tell(message: Message, socket?: ListeningSocket): void {
    // An error means that the parent is gone.
    this.send(message, socket as never, {}, () => {});
  }
}
