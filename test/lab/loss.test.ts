/** A lost segment of the handshake, or of the first data, costs a retransmission and nothing else. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Role } from '../../src/lab/index.js';
import { counts, useRig } from './harness.js';

const rig = useRig('loss');

/** nft's matches for what a segment is. `behind` the watched interfaces, or before them, is a matter of the place. */
const kinds = {
  SYN: 'tcp flags & (syn | ack) == syn',
  'SYN-ACK': 'tcp flags & (syn | ack) == (syn | ack)',
  // 20 bytes of IPv4, 20 of TCP, 12 of timestamps: nothing behind them.
  'pure ACK': 'tcp flags & (syn | ack | fin | rst) == ack ip length 52',
  data: 'tcp flags & (syn | ack | rst) == ack ip length > 52',
} as const;
type Kind = keyof typeof kinds;

interface Loss {
  from: 'client' | 'server';
  kind: Kind;
  /** So many of the kind, the first ones, are lost. */
  first: number;
  /** Before the middle has seen it, or behind. */
  where: 'before' | 'behind';
}

/**
 * Drops the first `first` segments that match, and no more: a token bucket of that size, filled once a day. The hooks
 * lie outside the sockets (netdev egress and ingress), so that the sender does not learn of it.
 */
function lose(loss: Loss, port: number): void {
  const other = loss.from === 'client' ? 'server' : 'client';
  const role: Role = loss.where === 'before' ? loss.from : other;
  const hook = loss.where === 'before' ? 'egress' : 'ingress';
  const side = loss.from === 'client' ? 'dport' : 'sport';
  const burst = `limit rate 1/day burst ${loss.first} packets`;
  const rules = `
table netdev loss {
  chain ${hook} {
    type filter hook ${hook} device eth0 priority 0
    tcp ${side} ${port} ${kinds[loss.kind]} ${burst} counter drop
  }
}
`;
  rig.lab.exec(role, ['nft', '-f', '-'], { input: rules });
}

function lost(): number {
  return (['client', 'server'] as const)
    .map((role) => rig.lab.exec(role, ['nft', 'list', 'ruleset']).stdout)
    .flatMap((text) => [...text.matchAll(/counter packets (\d+)/g)].map((match) => Number(match[1])))
    .reduce((sum, n) => sum + n, 0);
}

afterEach(() => {
  for (const role of ['client', 'server'] as const) rig.lab.exec(role, ['nft', 'flush', 'ruleset']);
});

const clientFirst = { server: { send: 20_000, when: 'data' }, client: { send: 20_000, expect: 20_000 } };
const serverFirst = {
  server: { send: 20_000, when: 'connect' },
  client: { send: 20_000, expect: 20_000, start: 'data' },
};

const losses: Loss[] = [];
for (const where of ['before', 'behind'] as const) {
  losses.push(
    { from: 'client', kind: 'SYN', where, first: 1 },
    { from: 'client', kind: 'SYN', where, first: 2 },
    { from: 'server', kind: 'SYN-ACK', where, first: 1 },
    { from: 'client', kind: 'pure ACK', where, first: 1 },
    { from: 'client', kind: 'data', where, first: 1 },
    { from: 'client', kind: 'data', where, first: 3 },
    { from: 'server', kind: 'data', where, first: 1 },
  );
}

async function passes(loss: Loss, talk: { server: object; client: object }): Promise<void> {
  const port = rig.port();
  const host = rig.lab.addresses.server4;
  await rig.serve({ port, mode: 'exchange', ...talk.server });
  lose(loss, port);
  const gained = await rig.counted(async () => {
    expect(await rig.client({ host, port, ...talk.client })).toMatchObject({ ok: 1, failed: {} });
  });
  expect(lost(), 'segments that the rule has dropped').toBe(loss.first);
  expect(counts(gained)).toEqual({ intercepted: 1 });
  expect(gained.handshakes).toMatchObject({ seen: 1, completed: 1, refused: 0 });
}

describe('the client speaks first', () => {
  it.each(losses)('and loses $first $kind of the $from $where the middle', (loss) =>
    passes(loss, clientFirst),
  );
});

describe('the server speaks first', () => {
  it.each(losses.filter(({ first }) => first === 1))(
    'and the $kind of the $from is lost $where the middle',
    (loss) => passes(loss, serverFirst),
  );
});

it('the third ACK and the first data are both lost behind the middle', async () => {
  const port = rig.port();
  const host = rig.lab.addresses.server4;
  await rig.serve({ port, mode: 'exchange', ...clientFirst.server });
  const rules = `
table netdev loss {
  chain ingress {
    type filter hook ingress device eth0 priority 0
    tcp dport ${port} tcp flags & (syn | ack) == ack limit rate 1/day burst 2 packets counter drop
  }
}
`;
  rig.lab.exec('server', ['nft', '-f', '-'], { input: rules });
  const gained = await rig.counted(async () => {
    const result = await rig.client({ host, port, ...clientFirst.client });
    expect(result).toMatchObject({ ok: 1, failed: {} });
  });
  expect(lost()).toBe(2);
  expect(counts(gained)).toEqual({ intercepted: 1 });
});

it('one segment in 50 is lost both ways, in 20 flows of 1 MB', async () => {
  const port = rig.port();
  const host = rig.lab.addresses.server4;
  const MB = 1 << 20;
  await rig.serve({ port, mode: 'exchange', send: MB, when: 'connect' });
  for (const role of ['client', 'server'] as const) {
    const rules = `
table netdev loss {
  chain ingress {
    type filter hook ingress device eth0 priority 0
    tcp ${role === 'client' ? 'sport' : 'dport'} ${port} numgen inc mod 50 == 7 counter drop
  }
}
`;
    rig.lab.exec(role, ['nft', '-f', '-'], { input: rules });
  }
  const gained = await rig.counted(async () => {
    const result = await rig.client({ host, port, flows: 20, send: MB, expect: MB, fin: 'received' });
    expect(result).toMatchObject({ ok: 20, failed: {} });
  });
  // What the hook sees is up to 64 kB each (GSO).
  expect(lost()).toBeGreaterThan(20);
  expect(counts(gained)).toEqual({ intercepted: 20 });
});
