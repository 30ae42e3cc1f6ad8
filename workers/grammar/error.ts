/** A grammar is wrong, not supported or too large; the message is one line for whoever sent it. */
export class GrammarError extends Error {
  override name = "GrammarError";
}
