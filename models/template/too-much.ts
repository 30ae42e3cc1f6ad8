/** The template used more than its bounds. */
export class TemplateTooMuch extends Error {
  override name = "TemplateTooMuch";
}
