export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

/** What was said so far: a system text, if any, then questions and answers in turns. */
export class Conversation {
  system: string | null = null;
  /** If false, the model sees each question alone: its template can't carry what was said before. */
  remembers = true;
  #turns: Message[] = [];

  get length(): number {
    return this.#turns.length / 2;
  }

  /** What the model is to see for a question. */
  asking(question: string): Message[] {
    return [...this.#head(), ...(this.remembers ? this.#turns : []), { role: "user", content: question }];
  }

  add(question: string, answer: string): void {
    this.#turns.push({ role: "user", content: question }, { role: "assistant", content: answer });
  }

  clear(): void {
    this.#turns = [];
  }

  /** Drops the oldest question and its answer. Returns false if there is none. */
  forget(): boolean {
    return this.#turns.splice(0, 2).length > 0;
  }

  get messages(): Message[] {
    return [...this.#head(), ...this.#turns];
  }

  /**
   * Takes over the messages of a saved conversation.
   * @throws an error with a one-line message for messages of another form; nothing is changed then
   */
  load(messages: unknown): void {
    const all = readMessages(messages);
    const system = all[0]?.role === "system" ? all[0].content : null;
    const turns = system === null ? all : all.slice(1);
    const wrong = turns.findIndex(({ role }, at) => role !== (at % 2 === 0 ? "user" : "assistant"));
    if (wrong >= 0 || turns.length % 2 !== 0)
      throw new Error("expected questions and answers in turns, the last one an answer");
    this.system = system;
    this.#turns = turns;
  }

  #head(): Message[] {
    return this.system === null ? [] : [{ role: "system", content: this.system }];
  }
}

function readMessages(messages: unknown): Message[] {
  const isMessage = (one: unknown): one is Message => {
    const { role, content } = (one ?? {}) as Partial<Message>;
    return typeof content === "string" && ["system", "user", "assistant"].includes(role ?? "");
  };
  if (!Array.isArray(messages) || !messages.every(isMessage))
    throw new Error("expected a list of messages with a role and a text as content");
  return messages.map(({ role, content }) => ({ role, content }));
}
