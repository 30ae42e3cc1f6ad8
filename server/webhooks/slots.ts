/** Caps on simultaneous callbacks: in total, of one caller, and of one caller to one receiver. */
const MOST_AT_ONCE = 256;
const MOST_OF_CALLER = 32;
const MOST_TO_RECEIVER = 4;
/**
 * Caps on a caller's callbacks by their receivers' standings. Half of the share is left for receivers that answer
 * promptly, however many others hang, and an eighth for the others.
 */
const MOST: Readonly<Record<Standing, number>> = { prompt: 28, unknown: 12, slow: 4 };
/** How many receivers of a caller are remembered that have no callback. */
const MOST_REMEMBERED = 1000;

/** How a receiver answered last. */
type Standing = "prompt" | "unknown" | "slow";

/** In the order in which a caller's receivers have their turns. */
const standings: readonly Standing[] = ["prompt", "unknown", "slow"];

interface Receiver<T> {
  name: string;
  waiting: T[];
  underWay: number;
  standing: Standing;
}

/**
 * Decides which due callbacks are sent now. Each caller has a share, and callers take turns, so that one caller's
 * receivers delay no other caller's callbacks. Within a caller receivers take turns, and those that hang may use only a
 * part of the share, so that the ones that answer never wait for them.
 */
export class Slots<T> {
  readonly #send: (item: T) => Promise<boolean | null>;
  readonly #shares = new Map<string, Share<T>>();
  #underWay = 0;

  /** @param send sends a callback; resolves to whether its receiver answered promptly, or null if none was sent */
  constructor(send: (item: T) => Promise<boolean | null>) {
    this.#send = send;
  }

  /** Sends a callback as soon as the caps allow. */
  add({ caller, receiver }: { caller: string; receiver: string }, item: T): void {
    const share = this.#shares.get(caller) ?? new Share<T>();
    this.#shares.set(caller, share);
    share.add(receiver, item);
    this.#sendDue();
  }

  #sendDue(): void {
    while (this.#underWay < MOST_AT_ONCE) {
      // The caller with the fewest under way is next.
      const open = [...this.#shares.values()].filter((share) => share.isOpen);
      if (open.length === 0) return;
      const share = open.reduce((least, one) => (one.underWay < least.underWay ? one : least));
      const { item, end } = share.take();
      this.#underWay++;
      void this.#send(item).then((prompt) => {
        end(prompt);
        this.#underWay--;
        this.#sendDue();
      });
    }
  }
}

/** A caller's callbacks. */
class Share<T> {
  readonly #receivers = new Map<string, Receiver<T>>();
  /** Standings of receivers without a callback, the longest idle first. */
  readonly #idle = new Map<string, Standing>();
  /** Receivers with callbacks that may be sent as far as their own cap goes; the first has its turn. */
  readonly #lines = {
    prompt: new Set<Receiver<T>>(),
    unknown: new Set<Receiver<T>>(),
    slow: new Set<Receiver<T>>(),
  };
  /** Callbacks under way, by their receivers' standings when they were sent. */
  readonly #counts = { prompt: 0, unknown: 0, slow: 0 };

  get underWay(): number {
    return this.#counts.prompt + this.#counts.unknown + this.#counts.slow;
  }

  /** Whether a callback may be sent now. */
  get isOpen(): boolean {
    return this.#next !== null;
  }

  add(name: string, item: T): void {
    const standing = this.#idle.get(name) ?? "unknown";
    const receiver = this.#receivers.get(name) ?? { name, waiting: [], underWay: 0, standing };
    this.#idle.delete(name);
    this.#receivers.set(name, receiver);
    receiver.waiting.push(item);
    this.#line(receiver);
  }

  /** Takes the callback that is next; `end` must be called when it has been sent. */
  take(): { item: T; end: (prompt: boolean | null) => void } {
    const standing = this.#next!;
    const [receiver] = this.#lines[standing] as Set<Receiver<T>> & [Receiver<T>];
    this.#lines[standing].delete(receiver);
    this.#counts[standing]++;
    receiver.underWay++;
    const item = receiver.waiting.shift()!;
    this.#line(receiver);
    const end = (prompt: boolean | null) => {
      this.#counts[standing]--;
      receiver.underWay--;
      this.#lines[receiver.standing].delete(receiver);
      if (prompt !== null) receiver.standing = prompt ? "prompt" : "slow";
      this.#line(receiver);
      if (receiver.waiting.length === 0 && receiver.underWay === 0) this.#rest(receiver);
    };
    return { item, end };
  }

  get #next(): Standing | null {
    if (this.underWay >= MOST_OF_CALLER) return null;
    return standings.find((one) => this.#lines[one].size > 0 && this.#counts[one] < MOST[one]) ?? null;
  }

  /** Puts a receiver at the end of its line, if it may be sent another callback. */
  #line(receiver: Receiver<T>): void {
    const most = receiver.standing === "slow" ? 1 : MOST_TO_RECEIVER;
    if (receiver.waiting.length > 0 && receiver.underWay < most) this.#lines[receiver.standing].add(receiver);
  }

  #rest({ name, standing }: Receiver<T>): void {
    this.#receivers.delete(name);
    this.#idle.set(name, standing);
    const [oldest] = this.#idle.keys();
    if (this.#idle.size > MOST_REMEMBERED) this.#idle.delete(oldest!);
  }
}
