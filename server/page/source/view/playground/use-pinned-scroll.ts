import { useLayoutEffect, useRef } from "preact/hooks";

/** Nearer than this to the end, in pixels, a reader is at the end. */
const NEAR = 40;

/** Keeps a region at its end while it grows, unless its reader has scrolled away. */
export function usePinnedScroll(content: unknown) {
  const region = useRef<HTMLElement>(null);
  const isPinned = useRef(true);
  useLayoutEffect(() => {
    const { current } = region;
    if (!current) return;
    const note = () => {
      isPinned.current = current.scrollHeight - current.scrollTop - current.clientHeight < NEAR;
    };
    current.addEventListener("scroll", note);
    return () => current.removeEventListener("scroll", note);
  }, []);
  useLayoutEffect(() => {
    const { current } = region;
    if (current && isPinned.current) current.scrollTop = current.scrollHeight;
  }, [content]);
  return region;
}
