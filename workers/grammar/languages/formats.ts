/** Each matches texts that are valid in its format, but not all of them: no month has more than 28 days. */
const date = "\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|1\\d|2[0-8])";
const time = "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)";
const octet = "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const label = "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?";
const hostname = `${label}(\\.${label}){0,3}`;

/** JSON Schema's `format`s that a grammar can hold to, as regular expressions. */
export const FORMATS: Readonly<Record<string, string>> = {
  date,
  time,
  "date-time": `${date}T${time}`,
  uuid: "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
  ipv4: `${octet}(\\.${octet}){3}`,
  hostname,
  email: `[a-z0-9_+-]{1,32}(\\.[a-z0-9_+-]{1,16}){0,2}@${label}(\\.${label}){1,3}`,
  uri: `https?:\\/\\/${hostname}(:[1-9]\\d{0,3})?(\\/[A-Za-z0-9_~-]{1,32}){0,8}\\/?`,
};
