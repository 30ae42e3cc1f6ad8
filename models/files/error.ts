/** Something is wrong with a model's files. The message is one line that says all that a user needs. */
export class ModelError extends Error {
  override name = "ModelError";
}
