import { Heap } from "./heap.js";
import { Line, type Node } from "./line.js";

/** Higher starts sooner; the default is 0. */
export const PRIORITIES = { min: -10, max: 10 } as const;

/**
 * After so long at the head of its caller's line, an entry counts as one class higher. Ten seconds is longer than most
 * requests run, so that classes keep their meaning; the lowest class reaches the highest within 200 seconds.
 */
export const AGEING_MS = 10_000;

/** Tokens that a caller gets with each round. Nearly every request costs more, so that callers take turns often. */
const QUANTUM = 64;

/** What decides about a waiting entry's turn. */
export interface Candidate {
  readonly caller: string;
  /** An integer within `PRIORITIES`. */
  readonly priority: number;
  /** Its cost: the prompt's tokens and the most that it may write. */
  readonly tokens: number;
}

/** The key of a flow: one caller's entries of one class. */
export type FlowKey = Pick<Candidate, "caller" | "priority">;

/** When a caller's turn comes within a class. */
interface Turn {
  /** The first round in which it may have a turn. */
  round: number;
  /** Within a round, lower comes first. */
  order: number;
  /** Tokens it may still use. Each round adds a QUANTUM. Nothing starts while it is negative. */
  balance: number;
}

/** One caller's entries of one class. */
interface Flow<T> extends Turn {
  readonly caller: string;
  readonly home: Lane<T>;
  /** The lane that its first entry waits in: above `home` once the entry has aged. */
  lane: Lane<T>;
  readonly line: Line<T>;
  /** When its first entry became first, or was last moved up. */
  agedAt: number;
  /** How many entries it has, and how many rounds they take together. */
  size: number;
  rounds: number;
}

/** All flows of one class. */
interface Lane<T> {
  readonly priority: number;
  /** The flows of this class by caller. */
  readonly flows: Map<string, Flow<T>>;
  /** The flows whose first entry counts here, ordered by turn. */
  readonly turns: Heap<Flow<T>>;
  round: number;
  orders: number;
}

/** A flow's turn, in the prediction of `order`. */
interface FutureTurn<T> extends Turn {
  readonly flow: Flow<T> | null;
  node: Node<T> | null;
  /** Whether the extra entry comes behind the flow's last one. */
  isExtra: boolean;
}

const sooner = (a: Turn, b: Turn) => (a.round === b.round ? a.order < b.order : a.round < b.round);

/**
 * Who starts next. Classes are strict: nothing starts while something of a higher class waits. Inside a class callers
 * take turns by deficit round robin (Shreedhar and Varghese, "Efficient fair queuing using deficit round robin", 1995)
 * over tokens, with two differences. An entry starts as soon as its caller is out of debt, and is paid for afterwards, so
 * that a caller's first entry waits for at most one turn of each other caller. And a turn starts one entry: its cost
 * decides in which round the next turn comes, and a heap sorts the turns, so that no round has to be walked through.
 *
 * An entry ages only while it is the first of its caller's line. Otherwise a thousand old entries of one caller would all
 * rise above the first entry of another.
 */
export class Lanes<T extends Candidate> {
  readonly #now: () => number;
  /** Highest first. */
  readonly #lanes: Lane<T>[] = [];
  /** Flows that wait below the highest class, in the order in which they age. */
  readonly #ageing = new Set<Flow<T>>();
  #size = 0;

  constructor(now: () => number) {
    this.#now = now;
    for (let { max: priority } = PRIORITIES; priority >= PRIORITIES.min; priority--)
      this.#lanes.push({ priority, flows: new Map(), turns: new Heap<Flow<T>>(sooner), round: 0, orders: 0 });
  }

  get size(): number {
    return this.#size;
  }

  push(entry: T): Node<T> {
    this.#age();
    const { caller, priority } = entry;
    const home = this.#lane(priority);
    let flow = home.flows.get(caller);
    if (flow === undefined || (flow.line.first === null && isPaid(flow))) {
      if (flow !== undefined) home.turns.remove(flow);
      const turn = { round: home.round, order: home.orders++, balance: QUANTUM };
      flow = { caller, home, lane: home, line: new Line(), agedAt: 0, size: 0, rounds: 0, ...turn };
      home.flows.set(caller, flow);
      home.turns.push(flow);
    }
    const node = flow.line.push(entry);
    this.#count(flow, entry, 1);
    if (flow.line.first === node) this.#newFirst(flow);
    return node;
  }

  /** Removes an entry that was cancelled or expired. */
  remove(node: Node<T>): void {
    if (node.line === null) return;
    const { caller, priority } = node.value;
    const flow = this.#lane(priority).flows.get(caller)!;
    const wasFirst = flow.line.first === node;
    flow.line.remove(node);
    this.#count(flow, node.value, -1);
    if (!wasFirst) return;
    if (flow.lane !== flow.home) {
      flow.lane.turns.remove(flow);
      this.#goHome(flow);
    }
    this.#newFirst(flow);
    if (flow.line.first === null && isPaid(flow)) {
      flow.home.flows.delete(caller);
      flow.home.turns.remove(flow);
    }
  }

  /**
   * Takes out the entry that is to start now.
   * @param mayStart whether a caller's entries may start; those of others keep their turns
   */
  shift(mayStart: (caller: string) => boolean = () => true): T | null {
    this.#age();
    for (const lane of this.#lanes) {
      const passed: Flow<T>[] = [];
      const entry = this.#shiftFrom(lane, mayStart, passed);
      for (const flow of passed) lane.turns.push(flow);
      if (entry !== null) return entry;
    }
    return null;
  }

  /**
   * The order in which waiting entries will start if nobody else comes, leaves or ages. `extra` is counted as if it had
   * just come, and yields null. Each step is O(log callers). Change nothing between two steps.
   */
  order(): Generator<T>;
  order(extra: Candidate): Generator<T | null>;
  *order(extra?: Candidate): Generator<T | null> {
    this.#age();
    const futures = this.#lanes.map(
      ({ turns }) => new Heap<FutureTurn<T>>(sooner, turns.items.map(futureOf)),
    );
    if (extra !== undefined) this.#addExtra(extra, futures);
    // Larger than any order that is in use.
    let later = 2 ** 52;
    for (const [index, { priority, round: reached }] of this.#lanes.entries()) {
      const turns = futures[index]!;
      let round = reached;
      for (let turn = turns.pop(); turn !== undefined; turn = turns.pop()) {
        if (turn.node === null) {
          if (turn.isExtra) yield null;
          continue;
        }
        const entry = turn.node.value;
        yield entry;
        turn.node = turn.node.next;
        round = Math.max(round, turn.round);
        turn.round = round;
        if (entry.priority === priority) {
          pay(turn, entry.tokens);
          turns.push(turn);
        } else {
          const home = this.#lane(entry.priority);
          enter(turn, home.round, later++, entry.tokens);
          futures[PRIORITIES.max - home.priority]!.push(turn);
        }
      }
    }
  }

  /**
   * About how many entries start before the last of a caller's in a class, in O(callers). It is `order` with the
   * simplification that all entries of a flow cost the same. With `extra`: how many start before one that came now.
   */
  ahead({ caller, priority }: FlowKey, extra = false): number {
    const home = this.#lane(priority);
    const own = home.flows.get(caller);
    const before = own === undefined ? 0 : own.size - (extra ? 0 : 1);
    const perEntry = own === undefined || own.size === 0 ? 1 : own.rounds / own.size;
    const round = (own?.lane === home ? Math.max(own.round, home.round) : home.round) + before * perEntry;
    let ahead = before;
    for (const lane of this.#lanes) {
      if (lane.priority < priority) break;
      for (const flow of lane.turns.items) {
        if (flow === own || flow.size === 0) continue;
        if (flow.home !== lane) ahead += 1;
        else if (lane !== home) ahead += flow.size;
        else
          ahead += Math.min(
            flow.size,
            Math.max(Math.ceil((round - flow.round) / (flow.rounds / flow.size)), 0),
          );
      }
    }
    return ahead;
  }

  /** @param passed gets the flows whose turn came before the entry's and that may not start */
  #shiftFrom(lane: Lane<T>, mayStart: (caller: string) => boolean, passed: Flow<T>[]): T | null {
    for (let flow = lane.turns.pop(); flow !== undefined; flow = lane.turns.pop()) {
      const node = flow.line.first;
      if (node !== null && !mayStart(flow.caller)) {
        passed.push(flow);
        continue;
      }
      if (node === null) {
        // If all others have later turns, its debt is over.
        if (passed.length === 0) lane.flows.delete(flow.caller);
        else passed.push(flow);
        continue;
      }
      flow.line.remove(node);
      this.#count(flow, node.value, -1);
      // A flow that was passed does not get the rounds back that it missed.
      lane.round = Math.max(lane.round, flow.round);
      flow.round = lane.round;
      if (lane === flow.home) {
        pay(flow, node.value.tokens);
        lane.turns.push(flow);
      } else {
        this.#goHome(flow, node.value.tokens);
      }
      this.#newFirst(flow);
      return node.value;
    }
    return null;
  }

  #count(flow: Flow<T>, { tokens }: T, sign: 1 | -1): void {
    this.#size += sign;
    flow.size += sign;
    flow.rounds = flow.size === 0 ? 0 : flow.rounds + sign * Math.max(tokens / QUANTUM, 1);
  }

  #addExtra(extra: Candidate, futures: Heap<FutureTurn<T>>[]): void {
    const home = this.#lane(extra.priority);
    const flow = home.flows.get(extra.caller);
    if (flow !== undefined && (flow.line.first !== null || !isPaid(flow))) {
      for (const turn of futures[PRIORITIES.max - flow.lane.priority]!.items)
        if (turn.flow === flow) turn.isExtra = true;
      return;
    }
    const turn = { round: home.round, order: home.orders, balance: QUANTUM };
    futures[PRIORITIES.max - home.priority]!.push({ ...turn, flow: null, node: null, isExtra: true });
  }

  #lane(priority: number): Lane<T> {
    const lane = this.#lanes[PRIORITIES.max - priority];
    if (lane !== undefined) return lane;
    const { min, max } = PRIORITIES;
    throw new RangeError(`expected a priority from ${min} to ${max}, got ${priority}`);
  }

  #newFirst(flow: Flow<T>): void {
    this.#ageing.delete(flow);
    flow.agedAt = this.#now();
    if (flow.line.first !== null && flow.lane !== this.#lanes[0]) this.#ageing.add(flow);
  }

  /** The set is in the order in which flows age: each is added at the end, and all take equally long. */
  #age(): void {
    const now = this.#now();
    for (const flow of this.#ageing) {
      if (now - flow.agedAt < AGEING_MS) return;
      this.#ageing.delete(flow);
      const classes = Math.floor((now - flow.agedAt) / AGEING_MS);
      const lane = this.#lane(Math.min(flow.lane.priority + classes, PRIORITIES.max));
      flow.lane.turns.remove(flow);
      flow.lane = lane;
      enter(flow, lane.round, lane.orders++);
      lane.turns.push(flow);
      flow.agedAt = now;
      if (lane !== this.#lanes[0]) this.#ageing.add(flow);
    }
  }

  /** The aged entry has left; the next one waits in its own class. */
  #goHome(flow: Flow<T>, tokens = 0): void {
    const { home } = flow;
    flow.lane = home;
    enter(flow, home.round, home.orders++, tokens);
    home.turns.push(flow);
  }
}

/** Whether it is out of debt. */
const isPaid = <T>(flow: Flow<T>) => flow.round <= flow.home.round;

function futureOf<T>(flow: Flow<T>): FutureTurn<T> {
  const { round, order, balance } = flow;
  return { round, order, balance, flow, node: flow.line.first, isExtra: false };
}

/** Enters a lane in the given round, and pays for that many tokens. */
function enter(turn: Turn, round: number, order: number, tokens = 0): void {
  turn.round = round;
  turn.order = order;
  turn.balance = QUANTUM;
  if (tokens > 0) pay(turn, tokens);
}

/** Ends a turn. The next one comes in the first round in which the debt is paid. Unused tokens are not saved. */
function pay(turn: Turn, tokens: number): void {
  const balance = turn.balance - tokens + QUANTUM;
  const rounds = balance > 0 ? 0 : Math.floor(-balance / QUANTUM) + 1;
  turn.round += 1 + rounds;
  turn.balance = Math.min(balance + rounds * QUANTUM, QUANTUM);
}
