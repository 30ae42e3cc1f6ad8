import { isAbsolute } from "node:path";

/**
 * Where this user's programs keep what outlives them: `STATE_DIRECTORY` under systemd, else by the platform's convention
 * `$XDG_STATE_HOME/jai-server` (`~/.local/state`), `~/Library/Application Support/jai-server` or
 * `%LOCALAPPDATA%\jai-server\Data`. Null for a user without a home. It need not exist.
 */
export async function stateFolder(): Promise<string | null> {
  const [ofService] = (process.env.STATE_DIRECTORY ?? "").split(":");
  if (ofService) return ofService;
  try {
    // It looks the home folder up when it is loaded, and throws for a user who is in no list of users.
    const { default: envPaths } = await import("env-paths");
    const { data, log } = envPaths("jai-server", { suffix: "" });
    // Its name for what XDG calls state is "log"; the other platforms have no such place but that for data.
    const folder = process.platform === "darwin" || process.platform === "win32" ? data : log;
    return isAbsolute(folder) ? folder : null;
  } catch {
    return null;
  }
}
