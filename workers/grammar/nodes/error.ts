import { ConstraintError } from "../../engine/constraint.js";

/** A grammar is wrong, not supported or too large; the message is one line for whoever sent it. */
export class GrammarError extends ConstraintError {
  override name = "GrammarError";
}
