/** A part of the benchmark that runs by itself. */
export interface Step {
  label: string;
  run(): Promise<void>;
}
