// The answer of `GET /v1/usage`.

export interface Allowance {
  limit: number;
  remaining: number;
  reset_seconds: number | null;
}

export interface Counts {
  requests: number;
  refused: number;
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
}

export interface KeyUsage extends Counts {
  name: string;
  priority: number;
  since: string;
  days: (Counts & { date: string })[];
  limits: Record<string, Allowance | null>;
}
