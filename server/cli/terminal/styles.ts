const codes = {
  bold: [1, 22],
  dim: [2, 22],
  inverse: [7, 27],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/** Each wraps a text in the codes of its style, or returns it as it is where there are no colours. */
export type Styles = Readonly<Record<keyof typeof codes, (text: string) => string>>;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The styles for a stream: none if it is no terminal, if the terminal is `dumb`, or if NO_COLOR (https://no-color.org)
 * is set to anything. `util.styleText` is missing in the oldest Node that this package supports.
 */
export function stylesOf(stream: { isTTY?: boolean }, environment: Environment = process.env): Styles {
  const on = stream.isTTY === true && isCapable(environment) && !environment.NO_COLOR;
  const style =
    ([open, close]: readonly [number, number]) =>
    (text: string) =>
      on && text !== "" ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return Object.fromEntries(Object.entries(codes).map(([name, pair]) => [name, style(pair)])) as Styles;
}

/** Whether a terminal can move its cursor. */
export const isCapable = ({ TERM }: Environment = process.env): boolean => TERM !== "dumb";
