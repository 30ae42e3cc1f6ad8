/** Receives one line per event; `fields` repeat its facts for programs. `console` can serve as one. */
export interface Log {
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export const silent: Log = { error() {}, warn() {}, info() {}, debug() {} };
