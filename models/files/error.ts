/** Something is wrong with a model's files; the message is one line, fit to be the only thing that a user sees. */
export class ModelError extends Error {
  override name = "ModelError";
}
