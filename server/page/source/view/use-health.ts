import { useEffect, useState } from "preact/hooks";
import { askJson } from "../wire/api.js";

/** What the page shows of `GET /health`, which needs no key. */
export interface Health {
  status: "healthy" | "degraded" | "loading" | "draining" | "unhealthy";
  model: { name: string; precision: string; context: number };
}

const PERIOD_MS = 15_000;

/** Asks for the server's state now and then, while the page is in sight. @returns null while the server is away */
export function useHealth(): Health | null {
  const [health, setHealth] = useState<Health | null>(null);
  useEffect(() => {
    const update = () => {
      if (document.hidden) return;
      void askJson<Health>("/health").then(setHealth, () => setHealth(null));
    };
    update();
    const timer = setInterval(update, PERIOD_MS);
    document.addEventListener("visibilitychange", update);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", update);
    };
  }, []);
  return health;
}
