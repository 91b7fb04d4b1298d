import type { PathConditions } from './scenario.js';

/** Behind the middle, on either side, a small hop that says nothing when it drops (RFC 2923 section 2.1). */
export const blackHoles: PathConditions = {
  path: {
    routers: {
      client: { mtu: { toClient: 1300 }, eatIcmp: true },
      server: { mtu: { toServer: 1300 }, eatIcmp: true },
    },
  },
};
