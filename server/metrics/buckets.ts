/** Upper bounds for times of requests, in seconds: 1 ms to a minute. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Upper bounds for numbers of tokens. */
export const TOKENS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];

/** Upper bounds for the number of sequences of a request. */
export const SEQUENCES = [1, 2, 5, 10, 20];
