import type { Business, Role } from "./language.js";

/**
 * Reads a table with one line for each role: name | aliases | business | skills | duties | pay. Lists use commas. Pay is
 * `y` or `h` (per year or hour), from-to, then `r` if the job can be done from home.
 */
export function parseRoles(table: string, step: Readonly<Record<"year" | "hour", number>>): Role[] {
  return table
    .trim()
    .split("\n")
    .map((line) => {
      const [name, aliases, business, skills, duties, pay] = line.split("|");
      const range = /^([yh])(\d+)-(\d+)(r?)$/.exec(pay ?? "");
      if (!name || !aliases || !business || !skills || !duties || !range)
        throw new Error(`expected name|aliases|business|skills|duties|pay, got ${JSON.stringify(line)}`);
      const per = range[1] === "y" ? "year" : "hour";
      return {
        name,
        aliases: aliases.split(","),
        business: business as Business,
        skills: skills.split(","),
        duties: duties.split(","),
        pay: { per, from: Number(range[2]), to: Number(range[3]), step: step[per] },
        remote: range[4] === "r",
      } satisfies Role;
    });
}
