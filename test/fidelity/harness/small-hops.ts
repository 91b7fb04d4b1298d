import type { PathConditions } from './scenario.js';

/**
 * A small hop for each direction on each side: first the end that sends hears of 1400 from its own router, then whoever sends the
 * second leg hears of 1300 from the other one.
 */
export const smallHops: PathConditions = {
  path: {
    routers: {
      client: { mtu: { toServer: 1400, toClient: 1300 } },
      server: { mtu: { toServer: 1300, toClient: 1400 } },
    },
  },
};
