/** Where the queue gets its time from; a test brings its own. */
export interface Clock {
  /** Milliseconds since whenever. */
  now(): number;
  /** Calls back once after so many milliseconds, unless the function that it returns is called before. */
  after(ms: number, callback: () => void): () => void;
}

export const realClock: Clock = {
  now: () => performance.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms).unref();
    return () => clearTimeout(timer);
  },
};
