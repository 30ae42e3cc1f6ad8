// The API key. It is kept for the tab, and longer only if the user asks for that.
/** Servers below different paths of one host share its stores: each has a key of its own. */
const NAME = (() => {
  const { pathname } = new URL(document.baseURI);
  return pathname === "/" ? "jai-key" : `jai-key ${pathname}`;
})();

/** A store may be forbidden, or full: then the key lives in memory. */
let memory = "";

type Which = "sessionStorage" | "localStorage";

/** @returns undefined if the browser has no such store, or refuses */
function from<T>(which: Which, use: (store: Storage) => T): T | undefined {
  try {
    return use(window[which]);
  } catch {
    return undefined;
  }
}

export function readKey(): string {
  const read = (store: Storage) => store.getItem(NAME);
  return from("sessionStorage", read) || from("localStorage", read) || memory;
}

/** @param remember keep it in this browser after the tab is closed */
export function keepKey(key: string, remember: boolean): void {
  forgetKey();
  memory = key;
  from(remember ? "localStorage" : "sessionStorage", (store) => store.setItem(NAME, key));
}

export function forgetKey(): void {
  memory = "";
  for (const which of ["sessionStorage", "localStorage"] as const)
    from(which, (store) => store.removeItem(NAME));
}
