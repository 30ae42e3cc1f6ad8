import { basename } from "node:path";
import { findWeights } from "../checkpoint/model-folder-source.js";
import { findTokenizer } from "../checkpoint/source-tokenizer.js";
import type { HubFile, HubRevision } from "./repository.js";

/** Small files that an import reads where they are there. */
const BESIDES =
  /^(?:config\.json|generation_config\.json|model_config\.yaml|meta_\d+\.json|tokenizer_config\.json|special_tokens_map\.json|added_tokens\.json|chat_template\.jinja)$/;

/** Of a folder on a hub, the files that an import needs. */
export interface Chosen {
  /** The checkpoint, or the index of several. */
  weights: HubFile;
  others: HubFile[];
}

/**
 * Chooses by the files' names, as an import from a folder does. Parts that an index names come later.
 * @param subject what error messages begin with
 * @throws ImportError where there are no weights or no tokenizer, or too many
 */
export function chooseModel(revision: HubRevision, subject: string, needsTokenizer: boolean): Chosen {
  const byName = filesByName(revision);
  const names = [...byName.keys()].sort();
  const weights = revision.named ?? byName.get(findWeights(subject, names))!;
  const others = names.filter((name) => BESIDES.test(name)).map((name) => byName.get(name)!);
  return { weights, others: needsTokenizer ? [...others, ...tokenizerOf(byName, subject)] : others };
}

/** The same for a tokenizer alone: the file to read comes first. @throws ImportError */
export function chooseTokenizer(revision: HubRevision, subject: string): HubFile[] {
  const byName = filesByName(revision);
  const config = byName.get("tokenizer_config.json");
  const found = revision.named ? [revision.named] : tokenizerOf(byName, subject);
  return config ? [...found, config] : found;
}

function tokenizerOf(byName: ReadonlyMap<string, HubFile>, subject: string): HubFile[] {
  const found = findTokenizer(subject, [...byName.keys()].sort());
  const paths = found.kind === "merges" ? [found.vocab, found.merges] : [found.file];
  return paths.map((path) => byName.get(basename(path))!);
}

function filesByName({ files }: HubRevision): Map<string, HubFile> {
  return new Map(files.map((file) => [basename(file.path), file]));
}
