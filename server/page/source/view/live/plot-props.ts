export interface Line {
  label: string;
  /** A value for each of the last seconds, oldest first. */
  values: readonly (number | null)[];
}

export interface PlotProps {
  title: string;
  /** One or two. */
  lines: readonly Line[];
  write(value: number): string;
  /** The scale's end. Default: what the values need */
  most?: number;
}
