/** All faults of the catalogue, by number. */
import { addresses } from './addresses.js';
import { data } from './data.js';
import type { Fault } from './fault.js';
import { handshake } from './handshake.js';
import { ipHeader } from './ip-header.js';
import { ipv6 } from './ipv6.js';
import { liveness } from './liveness.js';
import { mss } from './mss.js';
import { options } from './options.js';
import { pathMtu } from './path-mtu.js';
import { routing } from './routing.js';
import { security } from './security.js';
import { teardown } from './teardown.js';

export interface Chapter {
  title: string;
  faults: readonly Fault[];
}

export const chapters: readonly Chapter[] = [
  { title: 'Handshake', faults: handshake },
  { title: 'Options', faults: options },
  { title: 'MSS', faults: mss },
  { title: 'Path MTU and ICMP', faults: pathMtu },
  { title: 'IP header', faults: ipHeader },
  { title: 'Addresses and ports', faults: addresses },
  { title: 'Teardown', faults: teardown },
  { title: 'Liveness', faults: liveness },
  { title: 'Data', faults: data },
  { title: 'IPv6', faults: ipv6 },
  { title: 'Routing', faults: routing },
  { title: 'Security', faults: security },
];

export const faults: readonly Fault[] = chapters.flatMap((chapter) => chapter.faults);
