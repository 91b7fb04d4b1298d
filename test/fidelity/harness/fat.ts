import type { PathConditions } from './scenario.js';

const link = { delayMs: 25, rateMbit: 200, queueMs: 100 };

/** A round trip of 100 ms, and a rate at which two labs at a time leave the machine some air: 2.5 MB are under way. */
export const fat: PathConditions = { path: { client: link, server: link } };
