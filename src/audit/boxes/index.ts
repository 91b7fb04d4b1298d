/** What `audit matrix` puts into the middle of a lab: each as its own documentation recommends for a transparent deployment. */
import type { Box } from './box.js';
import { desplice, despliceReleased } from './desplice.js';
import { forwarding } from './forwarding.js';
import { haproxy, haproxyClientIp } from './haproxy.js';
import { mitmproxy } from './mitmproxy.js';
import { mssClamp, noIcmp, synproxy } from './nftables.js';
import { nginx } from './nginx.js';
import { redsocks } from './redsocks.js';
import { squidIntercept, squidTproxy } from './squid.js';
import { trafficServer } from './traffic-server.js';

export { type Box, leftOut } from './box.js';

export const boxes: readonly Box[] = [
  forwarding,
  desplice,
  despliceReleased,
  haproxy,
  haproxyClientIp,
  nginx,
  squidIntercept,
  squidTproxy,
  trafficServer,
  mitmproxy,
  redsocks,
  mssClamp,
  noIcmp,
  synproxy,
];
