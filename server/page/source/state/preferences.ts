// What the user likes: kept in this browser, without a key or a text of theirs.

/** @returns null if nothing is kept, or the browser keeps nothing */
export function readPreference(name: string): string | null {
  try {
    return localStorage.getItem(`jai-${name}`);
  } catch {
    return null;
  }
}

export function keepPreference(name: string, value: string): void {
  try {
    localStorage.setItem(`jai-${name}`, value);
  } catch {
    // It holds until the page is closed.
  }
}
