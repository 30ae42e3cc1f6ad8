/** What every client of a benchmark asks for. */
export interface Workload {
  /** How many clients ask at once, each its next question when it has its answer. */
  clients: number;
  /** Requests of all clients together. */
  requests: number;
  /** Tokens of every answer: the end-of-sequence token is ignored. */
  tokens: number;
}

/** Tokens per second over the time in which all clients were busy. */
export interface Measurement {
  tokensPerSecond: number;
  /** Of a request, from asking to the whole answer, in milliseconds. */
  latencies: number[];
}

const PLACES = ["서울", "판교", "부산", "대전", "강남", "성수", "인천", "광주"];
const ROLES = ["React 개발자", "백엔드 개발자", "데이터 분석가", "간호사", "물류 관리자", "디자이너"];

/** The prompt of the `index`-th request: some 20 to 30 tokens, as JAI's clients send. */
export function prompt(index: number): string {
  const place = PLACES[index % PLACES.length];
  const role = ROLES[Math.floor(index / PLACES.length) % ROLES.length];
  return `[QUESTION]\n${place}에서 ${role} 채용 있어?\n[/QUESTION]\n\n[ANSWER]\n`;
}

/**
 * Keeps `clients` requests under way until `requests` are done. The tail, in which clients run out of work, is left out of
 * the rate: it says how the requests were divided, not how fast they are served.
 */
export async function closedLoop(
  { clients, requests, tokens }: Workload,
  ask: (index: number) => Promise<void>,
): Promise<Measurement> {
  const latencies: number[] = [];
  const ends: number[] = [];
  let next = 0;
  const start = performance.now();
  const client = async () => {
    while (next < requests) {
      const asked = performance.now();
      await ask(next++);
      const end = performance.now();
      latencies.push(end - asked);
      ends.push(end);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const busy = ends.sort((a, b) => a - b).slice(0, Math.max(clients, requests - clients));
  return { tokensPerSecond: (busy.length * tokens * 1000) / (busy.at(-1)! - start), latencies };
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}
