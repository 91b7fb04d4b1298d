import type { RawSend } from '../../../../src/audit/raw-segment.js';
import { type Ends, scenario } from '../../harness/scenario.js';

/** In the name of one end, from the link of the other, where it comes back out of the middle. */
const forgeries: { name: string; letters: string; segment: RawSend; answered: boolean; standard: string }[] =
  [
    {
      name: 'inexact-reset',
      letters: 'R',
      segment: { seq: 5000 },
      answered: true,
      standard: 'RFC 5961 section 3.2: a reset within the window, but not at its edge, is challenged',
    },
    {
      name: 'outside-reset',
      letters: 'R',
      segment: { seq: 10_000_000 },
      answered: false,
      standard: 'RFC 5961 section 3.2: a reset outside the window is dropped',
    },
    {
      name: 'syn',
      letters: 'S',
      segment: { seq: 50, options: { mss: 1460 } },
      answered: true,
      standard:
        'RFC 5961 section 4.2: a SYN for an established connection is challenged, whatever its number',
    },
    {
      name: 'outside-data',
      letters: 'P.',
      segment: { seq: 10_000_000, length: 50, wrongBytes: true },
      answered: true,
      standard: 'RFC 9293 section 3.10.7.4: data outside the window is dropped and acknowledged',
    },
    {
      name: 'ack-of-nothing',
      letters: 'P.',
      segment: { seq: 101, ack: 500_000, length: 50, wrongBytes: true },
      answered: true,
      standard: 'RFC 5961 section 5.2: data that acknowledges what was never sent is dropped',
    },
  ];

/** A raw end with numbers that are known, and the socket that it talks to; `wrong` is the link of the socket's end. */
async function talk(ends: Ends, name: 'client' | 'server') {
  const { client, server, rawClient, rawServer } = ends;
  if (name === 'client') {
    const listener = await server.listen();
    const raw = await rawClient.connection();
    await raw.open();
    return { raw, socket: await listener.accept(), wrong: rawServer };
  }
  const raw = await rawServer.connection();
  const opened = raw.open();
  const socket = await client.connect({ to: 'raw' });
  await opened;
  return { raw, socket, wrong: rawClient };
}

type Talk = Awaited<ReturnType<typeof talk>>;

/** 100 bytes from the raw end, 10 back. */
async function begin({ raw, socket }: Talk): Promise<void> {
  await raw.send('P.', { length: 100 });
  await socket.receive(100);
  await socket.send(10);
  await raw.expect('.', { end: 11 });
  await raw.send('.');
}

async function end({ raw, socket }: Talk): Promise<void> {
  await raw.send('F.');
  await socket.receive();
  await socket.close();
  await raw.expect('F.');
  await raw.send('.');
}

const harmless = (['client', 'server'] as const).flatMap((name) =>
  forgeries.map(({ name: what, letters, segment, answered, standard }) =>
    scenario({
      name: `${what}-of-${name}-from-wrong-side`,
      group: 'security',
      faults: [58, 60],
      standard,
      taken: true,
      ...(letters === 'R' ? { differences: ['forged-stays-here'] } : {}),
      async run(ends) {
        const both = await talk(ends, name);
        const { raw, socket, wrong } = both;
        await begin(both);
        await wrong.forge(raw.build(letters, segment));
        // It goes to who bears the address, not to the forger.
        const answer = await raw.expect('.', { end: 11, patienceMs: answered ? 3000 : 200 });
        ends.check(answered ? 'an answer comes' : 'no answer comes', (answer !== undefined) === answered);
        ends.check('nothing was taken in', (await socket.receive(1, { patienceMs: 100 })).bytes === 0);
        await raw.send('P.', { length: 100 });
        ends.check('the connection is there', (await socket.receive(100)).end === 'enough');
        await end(both);
      },
    }),
  ),
);

const exact = (['client', 'server'] as const).flatMap((name) => [
  scenario({
    name: `exact-reset-of-${name}-from-wrong-side`,
    group: 'security',
    faults: [58, 60],
    standard:
      'RFC 5961 section 3.2: a reset at the edge of the window is obeyed; TCP cannot see where it came from',
    taken: true,
    async run(ends) {
      const both = await talk(ends, name);
      await begin(both);
      await both.wrong.forge(both.raw.build('R.'));
      const { end: how } = await both.socket.receive(1, { patienceMs: 2000 });
      ends.check('the end is reset', how === 'ECONNRESET');
      await both.socket.close();
    },
  }),
  scenario({
    name: `exact-reset-of-${name}-filtered`,
    group: 'security',
    // The reverse path filter of Linux is for IPv4 alone.
    families: [4],
    faults: [60],
    standard:
      'RFC 3704 section 2.2: a router with a strict reverse path filter drops what comes by the wrong side',
    taken: true,
    async run(ends) {
      const both = await talk(ends, name);
      await begin(both);
      const wrongSide = name === 'client' ? 'toserver' : 'toclient';
      await ends.middle.sysctl(`ipv4/conf/${wrongSide}/rp_filter`, 1);
      await both.wrong.forge(both.raw.build('R.'));
      await both.raw.send('P.', { length: 100 });
      ends.check('the connection is there', (await both.socket.receive(100)).end === 'enough');
      await end(both);
    },
  }),
  scenario({
    name: `exact-data-of-${name}-from-wrong-side`,
    group: 'security',
    faults: [58, 60],
    standard:
      'RFC 9293 section 3.10.7.4: data that is next is taken in, and acknowledged to the address that it bears',
    taken: true,
    async run(ends) {
      const both = await talk(ends, name);
      const { raw, socket, wrong } = both;
      await begin(both);
      await wrong.forge(raw.build('P.', { length: 50, wrongBytes: true }));
      ends.check('it is taken in', (await socket.receive(50)).bytes === 50);
      ends.check('and acknowledged', (await raw.expect('.', { end: 11 })) !== undefined);
      await raw.send('R.', { seq: raw.next + 50 });
      ends.check('the end is reset', (await socket.receive()).end === 'ECONNRESET');
      await socket.close();
    },
  }),
]);

export default [...harmless, ...exact];
