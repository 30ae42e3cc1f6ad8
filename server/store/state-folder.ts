import { isAbsolute } from "node:path";

/**
 * The user's folder for lasting data: `STATE_DIRECTORY` under systemd, else by the platform's convention
 * `$XDG_STATE_HOME/jai-server` (`~/.local/state`), `~/Library/Application Support/jai-server` or
 * `%LOCALAPPDATA%\jai-server\Data`. Null for a user without a home. The folder need not exist.
 */
export async function stateFolder(): Promise<string | null> {
  const [ofService] = (process.env.STATE_DIRECTORY ?? "").split(":");
  if (ofService) return ofService;
  try {
    // env-paths looks up the home folder when it is loaded, and throws for a user without a passwd entry.
    const { default: envPaths } = await import("env-paths");
    const { data, log } = envPaths("jai-server", { suffix: "" });
    // On Linux, env-paths' "log" is XDG's state folder. The other platforms have no state folder, only one for data.
    const folder = process.platform === "darwin" || process.platform === "win32" ? data : log;
    return isAbsolute(folder) ? folder : null;
  } catch {
    return null;
  }
}
