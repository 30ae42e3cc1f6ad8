/** One server-sent event. */
export interface ServerSentEvent {
  /** "message" if the stream gives no name. */
  event: string;
  /** Its `data` lines, joined by line breaks. */
  data: string;
}

/** Reads server-sent events from a text that arrives in pieces, with `\n` or `\r\n` as line breaks. */
export class EventReader {
  #rest = "";

  /** Adds a piece; returns the events that it completes. Comments are skipped. */
  push(piece: string): ServerSentEvent[] {
    const blocks = (this.#rest + piece).split(/\r?\n\r?\n/);
    this.#rest = blocks.pop()!;
    return blocks.flatMap((block) => readEvent(block) ?? []);
  }
}

function readEvent(block: string): ServerSentEvent | null {
  let event = "message";
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line)!;
    if (name === "event") event = value!;
    else if (name === "data") data.push(value!);
  }
  return data.length === 0 ? null : { event, data: data.join("\n") };
}
