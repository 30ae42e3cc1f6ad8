/** A part of the benchmark that runs by itself. */
export interface Step {
  label: string;
  /** How long it takes, roughly, on a machine of two cores. */
  seconds: number;
  run(): Promise<void>;
}
