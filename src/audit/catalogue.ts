/** All cases, in the order of the groups, and the faults that two ends cannot tell. */
import type { AuditCase } from './case.js';
import { addresses } from './cases/addresses.js';
import { agreedOptions } from './cases/agreed-options.js';
import { data } from './cases/data.js';
import { ecn } from './cases/ecn.js';
import { handshake } from './cases/handshake.js';
import { ipHeader } from './cases/ip-header.js';
import { ipv6 } from './cases/ipv6.js';
import { liveness } from './cases/liveness.js';
import { mss } from './cases/mss.js';
import { options } from './cases/options.js';
import { pathMtu } from './cases/path-mtu.js';
import { routing } from './cases/routing.js';
import { security } from './cases/security.js';
import { teardown } from './cases/teardown.js';

export const catalogue: readonly AuditCase[] = [
  ...handshake,
  ...agreedOptions,
  ...options,
  ...mss,
  ...pathMtu,
  ...ecn,
  ...ipHeader,
  ...addresses,
  ...teardown,
  ...liveness,
  ...data,
  ...ipv6,
  ...routing,
  ...security,
];

/** How many faults the catalogue has. */
export const faultCount = 60;

/** Faults by number that no case tells, and why. */
export const untold: Readonly<Record<number, string>> = {
  31: 'both legs of a connection in one table: nothing of that shows at the ends but losses that have other causes too',
  36: 'what happens when the box restarts: somebody has to restart it',
  39: 'idle connections that are forgotten: takes two hours',
  40: 'giving up too early on lost data: takes minutes, and losses on the path',
  50: 'IPv4 and IPv6 treated alike: run the audit once against each address of the server, and compare',
  51: 'answers that go another way than the requests: needs a second path around the box',
  54: 'packets of a connection that reach another box of several: needs the box in more copies than one',
  56: 'a listener of the box that can be reached directly: only its owner knows where it listens',
  57: 'floods of SYNs: an audit does not flood anybody',
  59: 'state that is never given back: shows only after very many connections, and inside the box',
  60: 'packets with addresses from the wrong side: networks between the ends must refuse them first (BCP 38)',
};
