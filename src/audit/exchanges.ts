/** Segments in an order that no stack would choose, for cases of the audit and scenarios of the fidelity harness alike. Each goes on
 *  behind the first 100 bytes of a client's stream. */
import type { RawConnection } from './raw-connection.js';

/** The last first: 300 bytes. */
export async function outOfOrder(c: RawConnection): Promise<void> {
  await c.send('P.', { seq: 301, length: 100 });
  await c.send('P.', { seq: 201, length: 100 });
  await c.send('P.', { seq: 101, length: 100 });
}

/** Behind a hole, over its edge, inside what is there, and at last the hole, with something on either side: 500 bytes. */
export async function overlapping(c: RawConnection): Promise<void> {
  await c.send('P.', { seq: 301, length: 200 });
  await c.send('P.', { seq: 401, length: 200 });
  await c.send('P.', { seq: 351, length: 50 });
  await c.send('P.', { seq: 51, length: 400 });
}

/** Repeated with other bytes: what was read already, what lies behind a hole, and more than both: 200 bytes. */
export async function conflicting(c: RawConnection): Promise<void> {
  await c.send('P.', { seq: 1, length: 100, seed: 7 });
  await c.send('P.', { seq: 201, length: 100 });
  await c.send('P.', { seq: 201, length: 100, seed: 7 });
  await c.send('P.', { seq: 101, length: 100 });
  await c.send('P.', { seq: 101, length: 200, seed: 7 });
}
