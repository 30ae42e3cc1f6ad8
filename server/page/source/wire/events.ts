/** A server-sent event, or a comment, which has the name `:`. */
export interface WireEvent {
  name: string;
  data: string;
  id: string;
}

/** Reads a response's events as they arrive. @param heard called whenever there is more, be it part of an event */
export async function* readEvents(response: Response, heard = () => {}): AsyncGenerator<WireEvent> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      heard();
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop()!;
      for (const block of blocks) yield parseBlock(block);
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function parseBlock(block: string): WireEvent {
  const event = { name: "", data: "", id: "" };
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    const field = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (colon === 0) return { ...event, name: ":", data: value };
    if (field === "event") event.name = value;
    if (field === "data") event.data += event.data ? `\n${value}` : value;
    if (field === "id") event.id = value;
  }
  return event;
}
