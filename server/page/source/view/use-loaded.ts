import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { useSession } from "./session.js";

interface Loaded<T> {
  value: T | null;
  error: unknown;
}

/** Loads something now, whenever `load` changes, and on `reload`. An older load never overwrites a newer one. */
export function useLoaded<T>(load: () => Promise<T>) {
  const { report } = useSession();
  const [loaded, setLoaded] = useState<Loaded<T>>({ value: null, error: null });
  const latest = useRef(0);
  const reload = useCallback(() => {
    const turn = ++latest.current;
    const settle = (change: (before: Loaded<T>) => Loaded<T>) => {
      if (turn === latest.current) setLoaded(change);
    };
    load().then(
      (value) => settle(() => ({ value, error: null })),
      (error) => {
        report(error);
        settle(({ value }) => ({ value, error }));
      },
    );
  }, [load, report]);
  useEffect(() => {
    reload();
    return () => {
      latest.current++;
    };
  }, [reload]);
  return { ...loaded, reload };
}
