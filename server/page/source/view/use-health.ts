import { useEffect, useState } from "preact/hooks";
import { askJson } from "../wire/api.js";

/** What the page shows of `GET /health`, which needs no key. */
export interface Health {
  status: "healthy" | "degraded" | "loading" | "draining" | "unhealthy";
  model: { name: string; precision: string; context: number; chat_template?: boolean };
}

/** How long until the next look: less while something is wrong, since that may pass soon. */
const periodOf = (health: Health | null) => (health?.status === "healthy" ? 15_000 : 2_000);

/** Asks for the server's state now and then, while the page is in sight. @returns null while the server is away */
export function useHealth(): Health | null {
  const [health, setHealth] = useState<Health | null>(null);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    const update = async () => {
      clearTimeout(timer);
      if (document.hidden) return;
      const found = await askJson<Health>("/health").catch(() => null);
      setHealth(found);
      clearTimeout(timer);
      timer = setTimeout(update, periodOf(found));
    };
    void update();
    document.addEventListener("visibilitychange", update);
    return () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", update);
    };
  }, []);
  return health;
}
