import { useEffect, useState } from "preact/hooks";
import { readFragment } from "../state/fragment.js";
import type { Screen } from "../state/screen.js";

/** Marks an entry of the tab's history: who comes back to it finds what is on screen, not the link's state again. */
const READ = "jai-read";

/** Puts a link into the address whose state is on screen already. */
export function replaceWithRead(fragment: string): void {
  history.replaceState(READ, "", fragment);
}

/**
 * Follows links with a state: that of the page's address, and those that are opened on the page later.
 * @param show called with the state
 * @returns whether the last link could not be read
 */
export function useSharedLinks(show: (screen: Screen) => void): boolean {
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    const read = async () => {
      const { hash } = location;
      if (!/^#[sz]=/.test(hash)) return;
      replaceWithRead(hash);
      const screen = await readFragment(hash);
      setFailed(screen === null);
      if (screen !== null) show(screen);
    };
    const follow = () => {
      if (history.state !== READ) void read();
    };
    void read();
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return failed;
}
