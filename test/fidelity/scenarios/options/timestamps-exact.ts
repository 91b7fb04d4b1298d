import type { RawConnection } from '../../../../src/audit/raw-connection.js';
import { scenario } from '../../harness/scenario.js';

/** TCP_REPAIR takes even values only; 535 bytes are too few for a request sock, so that it is used. */
const clocks: [what: string, client: number, server: number, mss: number][] = [
  ['request-sock', 1_000_000_000, 3_000_000_000, 1460],
  ['repair', 1_000_000_000, 3_000_000_000, 535],
  ['repair-odd', 1_000_000_001, 3_000_000_001, 535],
  ['near-the-end', 0xffff_fff0, 0xffff_fffe, 1460],
  ['repair-near-the-end', 0xffff_fff0, 0xffff_ffff, 535],
];
/** One to round up to an even value, one between two clocks. */
const tolerance = 2;

/**
 * Both ends know what the other's clock says. What arrives must not be behind what has arrived, nor ahead of the clock, and it
 * must echo the last value that was sent.
 */
export default clocks.map(([what, clientClock, serverClock, mss]) =>
  scenario({
    name: `timestamps-${what}`,
    group: 'options',
    faults: [9],
    standard:
      'RFC 7323 sections 3.2, 4.3 and 5.4: TSval never goes back nor runs ahead, TSecr echoes the last',
    taken: true,
    async run({ rawClient, rawServer, check }) {
      const s = await rawServer.connection({ with: 'raw' });
      const c = await rawClient.connection({ with: 'raw' });
      c.useTimestamps(clientClock);
      s.useTimestamps(serverClock);
      const options = { mss, sackPermitted: true };
      await c.send('S', { options });
      await s.expect('S');
      await s.send('S.', { options });
      await c.expect('S.');
      await c.send('.');
      await s.expect('.');
      await new Promise((resolve) => setTimeout(resolve, 30));

      let sent = 0;
      const speaks = async (from: RawConnection, to: RawConnection, name: string) => {
        const before = to.peerTsval;
        const echo = to.tsval;
        // A fresh value to echo, and its answer.
        await from.send('P.', { length: 100 });
        const segment = await to.expect('.', { end: from.next });
        const { tsval, tsecr } = segment?.options.timestamps ?? { tsval: 0, tsecr: 0 };
        const step = (tsval - before) | 0;
        const ahead = (tsval - from.tsval) | 0;
        const late = (echo - tsecr) | 0;
        check(`segment ${++sent}: the TSval of the ${name} does not go back`, step >= 0);
        check(`segment ${sent}: the TSval of the ${name} is not ahead of its clock`, ahead <= tolerance);
        check(`segment ${sent}: TSecr is not from the future`, late >= -tolerance);
        check(`segment ${sent}: TSecr is what was sent, not older than a second`, late < 1000);
        await to.send('.');
        await from.expect('.');
      };
      await speaks(c, s, 'client');
      await speaks(s, c, 'server');
      await speaks(s, c, 'server');
      await speaks(c, s, 'client');
      await c.send('F.');
      await s.expect('F.');
      await s.send('F.');
      await c.expect('F.');
      await c.send('.');
      await s.expect('.');
    },
  }),
);
