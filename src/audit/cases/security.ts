import { type AuditCase, found } from '../case.js';
import type { RawConnection } from '../raw-connection.js';
import { readText, whole } from '../socket.js';
import { pause } from '../stage.js';
import { rawClientTalk } from './talk.js';

interface Forged {
  id: string;
  right: string;
  standard: string;
  sent: string;
  forge: (c: RawConnection) => Promise<void>;
}

/** What somebody sends who knows the addresses and ports, and little else: the connection must survive it. */
function forged({ id, right, standard, sent, forge }: Forged): AuditCase {
  return {
    id,
    group: 'security',
    faults: [58],
    by: 'raw',
    right,
    standard,
    consequence: 'anybody who guesses the ports can end connections of others, or put bytes into them',
    mend: 'be as exact as the ends: keep sequence numbers, or leave the judgement to the ends',
    sent: `${sent}, then 100 bytes`,
    async run(stage) {
      const { c, s } = await rawClientTalk(stage);
      await c.send('P.', { length: 100 });
      const first = await s.receive(100);
      await s.send(10);
      await c.receive(11);
      await forge(c);
      await pause(150);
      const early = await s.unread(1, 0);
      await c.send('P.', { length: 100 });
      const read = await s.receive(100);
      return found({ client: 'sent both', server: readText(read) }, [
        !whole(first, 100) && 'data before it did not arrive',
        early > 0 && 'forged bytes reached the server',
        !whole(read, 100) && `the connection did not survive: ${readText(read)}`,
      ]);
    },
  };
}

export const security: AuditCase[] = [
  forged({
    id: 'inexact-reset-survived',
    right: 'a reset within the window, but not at its edge, ends nothing',
    standard: 'RFC 5961 section 3.2',
    sent: 'a reset 5000 bytes ahead',
    forge: (c) => c.inject('R', { seq: 5000 }),
  }),
  forged({
    id: 'syn-in-connection-survived',
    right: 'a SYN in the middle of a connection ends nothing',
    standard: 'RFC 5961 section 4.2',
    sent: 'a SYN with the numbers of the connection',
    forge: (c) => c.inject('S', { seq: 150, options: { mss: 1460 } }),
  }),
  forged({
    id: 'data-acknowledging-too-much-dropped',
    right: 'data that acknowledges what was never sent is dropped',
    standard: 'RFC 5961 section 5.2',
    sent: '50 bytes that acknowledge half a megabyte',
    forge: (c) => c.inject('P.', { seq: 101, ack: 500_000, length: 50, seed: 3 }),
  }),
];
