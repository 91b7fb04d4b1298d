import type { PathConditions } from './scenario.js';

const link = { delayMs: 5, jitterMs: 3, loss: 0.015, reorder: 0.02, duplicate: 0.01 };

/** Both links lose, reorder, repeat and delay, 10 ms there and back on each. */
export const rough: PathConditions = {
  path: { client: { ...link, seed: 3 }, server: { ...link, seed: 4 } },
};
