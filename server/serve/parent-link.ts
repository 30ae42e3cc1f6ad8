import type { Server } from "node:http";

/** A child's environment has its parent's process id under this name. */
export const PARENT = "JAI_PARENT";

/**
 * From the child: `take` asks for a listening socket, `keep` brings one, `ready` says that the model is loaded. From the
 * parent: `take` answers, with a socket if the child before left one.
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
  private constructor(private readonly send: NonNullable<typeof process.send>) {}

  /** Null if no parent watches over this process. */
  static open(): ParentLink | null {
    // Another program may run the server with a channel of its own.
    const isChild = process.env[PARENT] === String(process.ppid);
    return isChild && process.send ? new ParentLink(process.send.bind(process)) : null;
  }

  /** The socket that the last child listened on, if it crashed. */
  take(): Promise<ListeningSocket | null> {
    return new Promise((resolve) => {
      process.once("message", (_message, socket) => resolve((socket as ListeningSocket | undefined) ?? null));
      this.onGone(() => resolve(null));
      this.#tell("take");
    });
  }

  /** Lets the parent have the server's socket too. */
  keep(server: Server): void {
    // On Windows a socket that two processes listen on is not handed from one to the other reliably.
    if (process.platform !== "win32") this.#tell("keep", heldBy(server));
  }

  ready(): void {
    this.#tell("ready");
  }

  /** Calls back when the parent is gone, which would have passed on signals. */
  onGone(callback: () => void): void {
    if (process.connected) process.once("disconnect", callback);
    else callback();
  }

  #tell(message: Message, socket?: ListeningSocket): void {
    // An error means that the parent is gone.
    this.send(message, socket as never, {}, () => {});
  }
}
