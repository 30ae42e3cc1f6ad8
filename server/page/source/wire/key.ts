// The API key. It is kept for the tab, and longer only if the user asks for that.
const NAME = "jai-key";

/** A store may be switched off in the browser: then the key lives in memory. */
let memory = "";

function stores(): Storage[] {
  try {
    return [sessionStorage, localStorage];
  } catch {
    return [];
  }
}

export function readKey(): string {
  for (const store of stores()) {
    const key = store.getItem(NAME);
    if (key) return key;
  }
  return memory;
}

/** @param remember keep it in this browser after the tab is closed */
export function keepKey(key: string, remember: boolean): void {
  forgetKey();
  memory = key;
  const [tab, browser] = stores();
  (remember ? browser : tab)?.setItem(NAME, key);
}

export function forgetKey(): void {
  memory = "";
  for (const store of stores()) store.removeItem(NAME);
}
