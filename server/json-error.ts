type Expected = "value" | "value or ]" | "key" | "key or }" | "colon" | "comma or end" | "nothing";

/**
 * Position of the error in a text that `JSON.parse` refuses: the index of the first wrong token, or the text's length
 * if it ends too early. JavaScript's own message doesn't always have a position.
 */
export function jsonErrorAt(text: string): number {
  const open: ("{" | "[")[] = [];
  let expected: Expected = "value";
  const afterValue = (): Expected => (open.length === 0 ? "nothing" : "comma or end");
  for (let at = skip(text, 0), end = at; at < text.length; at = skip(text, end)) {
    const char = text[at]!;
    end = at + 1;
    if (expected === "colon" && char === ":") {
      expected = "value";
    } else if (expected === "comma or end" && char === ",") {
      expected = open.at(-1) === "{" ? "key" : "value";
    } else if (
      char === "}" &&
      open.at(-1) === "{" &&
      (expected === "key or }" || expected === "comma or end")
    ) {
      open.pop();
      expected = afterValue();
    } else if (
      char === "]" &&
      open.at(-1) === "[" &&
      (expected === "value or ]" || expected === "comma or end")
    ) {
      open.pop();
      expected = afterValue();
    } else if (expected === "key" || expected === "key or }") {
      if (char !== '"') return at;
      end = tokenEnd(text, at);
      if (!isJson(text.slice(at, end))) return at;
      expected = "colon";
    } else if (expected !== "value" && expected !== "value or ]") {
      return at;
    } else if (char === "{" || char === "[") {
      open.push(char);
      expected = char === "{" ? "key or }" : "value or ]";
    } else {
      end = tokenEnd(text, at);
      if (!isJson(text.slice(at, end))) return at;
      expected = afterValue();
    }
  }
  return text.length;
}

function skip(text: string, from: number): number {
  let at = from;
  while (at < text.length && " \t\n\r".includes(text[at]!)) at++;
  return at;
}

/** End index of the string or word that starts at `start`. */
function tokenEnd(text: string, start: number): number {
  let at = start + 1;
  if (text[start] !== '"') {
    while (at < text.length && !' \t\n\r,:]}[{"'.includes(text[at]!)) at++;
    return at;
  }
  while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

function isJson(token: string): boolean {
  try {
    JSON.parse(token);
    return true;
  } catch {
    return false;
  }
}
