import { ImportError } from "../checkpoint/error.js";

/** A model on a hub: `hf:owner/name[@revision][/path]`. */
export interface HubReference {
  /** The same as one text. */
  text: string;
  /** `owner/name`, or the name alone of models that are older than owners. */
  repository: string;
  /** A branch, a tag or a commit. */
  revision: string;
  /** A file or a folder in the repository; empty for its root. */
  path: string;
}

const SCHEME = /^hf:(?:\/\/)?/;
const NAME = "[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?";
/** A revision that holds a slash is one of the hub's own, such as refs/pr/1, or writes %2F. */
const REVISION = "(?:@(refs/[a-z]+/[^/@]+|[^/@]+))?";
const OWNED = new RegExp(`^(${NAME}/${NAME})${REVISION}(?:/(.+))?$`);
/** A model that is older than owners. */
const UNOWNED = new RegExp(`^(${NAME})${REVISION}$`);
const EXPECTED = "expected hf:owner/name, hf:owner/name@revision or hf:owner/name/FILE";

export const isHubReference = (text: string): boolean => SCHEME.test(text);

/** @throws ImportError for anything else than such a reference */
export function parseHubReference(text: string): HubReference {
  const match = text.length <= 1000 ? matchOf(text.replace(SCHEME, "")) : null;
  const [, repository = "", revision = "main", path = ""] = match ?? [];
  if (match === null || /--|\.\./.test(repository)) throw new ImportError(text.slice(0, 200), EXPECTED);
  const plain = decoded(text, revision);
  if (!isPlainPath(plain)) throw new ImportError(text, `${EXPECTED}; the revision is no name`);
  const inside = path.replace(/\/+$/, "");
  if (inside !== "" && !isPlainPath(inside))
    throw new ImportError(text, `${EXPECTED}; the path leads elsewhere`);
  // Some write slashes after the scheme. They are dropped, so that they don't become part of a path.
  return { text: `hf:${text.replace(SCHEME, "")}`, repository, revision: plain, path: inside };
}

const matchOf = (rest: string) => OWNED.exec(rest) ?? UNOWNED.exec(rest);

/** Whether a path of a repository is safe to use below a folder, on every system. */
export function isPlainPath(path: string): boolean {
  const isPlainName = (name: string) =>
    name !== "" && name !== "." && name !== ".." && name.length <= 255 && !/[\\:\p{Cc}]/u.test(name);
  return path.length <= 1000 && path.split("/").every(isPlainName);
}

function decoded(text: string, revision: string): string {
  try {
    return decodeURIComponent(revision);
  } catch {
    throw new ImportError(text, `${EXPECTED}; the revision is no name`);
  }
}
