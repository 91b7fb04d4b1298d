/** All cases, in the order of the groups. */
import type { AuditCase } from './case.js';
import { handshake } from './cases/handshake.js';

export const catalogue: readonly AuditCase[] = [...handshake];
