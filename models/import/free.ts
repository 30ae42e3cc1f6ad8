import { MessageChannel } from "node:worker_threads";

/** A port that nobody listens to: what is sent there is gone. */
const { port1: nowhere, port2: receiver } = new MessageChannel();
receiver.close();
nowhere.close();

/** Smaller buffers are left to the garbage collector. */
const LEAST_BYTES = 2 ** 20;

/**
 * Gives the memory of an array back at once; the array is empty afterwards. The garbage collector would leave it until it needs
 * room itself, and doesn't know that the runtime needs it now.
 */
export function free({ buffer, byteLength }: ArrayBufferView): void {
  if (byteLength >= LEAST_BYTES && buffer instanceof ArrayBuffer) nowhere.postMessage(null, [buffer]);
}
