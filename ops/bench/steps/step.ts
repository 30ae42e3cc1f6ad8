/** An independent part of the benchmark. */
export interface Step {
  label: string;
  run(): Promise<void>;
}
