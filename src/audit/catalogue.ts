/** All cases, in the order of the groups. */
import type { AuditCase } from './case.js';
import { handshake } from './cases/handshake.js';
import { mss } from './cases/mss.js';
import { options } from './cases/options.js';

export const catalogue: readonly AuditCase[] = [...handshake, ...options, ...mss];
