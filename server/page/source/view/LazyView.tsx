import type { ComponentType } from "preact";
import { useCallback, useEffect, useState } from "preact/hooks";
import { OfflineError } from "../wire/errors.js";
import { Failure } from "./Failure.js";

interface Props {
  load: () => Promise<{ default: ComponentType }>;
}

/** A view whose code is loaded when it is opened. */
export function LazyView({ load }: Props) {
  const [View, setView] = useState<ComponentType | null>(null);
  const [error, setError] = useState<unknown>(null);
  const start = useCallback(() => {
    setError(null);
    // The function would be taken for a step from the old state.
    load().then(
      ({ default: view }) => setView(() => view),
      () => setError(new OfflineError()),
    );
  }, [load]);
  useEffect(start, [start]);
  return View ? <View /> : <Failure error={error} retry={start} />;
}
