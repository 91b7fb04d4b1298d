/** What becomes of a handler's socket whose peer never says its last word. On loopback, with a clock of our own. */
import net from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { Counters } from '../../src/engine/counters.js';
import { FlowEntry } from '../../src/engine/flow-entry.js';
import { FlowTable } from '../../src/engine/flow-table.js';
import { Handled } from '../../src/engine/handled.js';
import { HANDSHAKE_BYTES, KEY_BYTES } from '../../src/engine/layout.js';
import { LINGER_MS } from '../../src/engine/lingering.js';
import { CLIENT, Identity, SERVER, TakenFlow } from '../../src/engine/taken.js';
import { Takeover } from '../../src/engine/takeover.js';
import { Epoll } from '../../src/kernel/epoll.js';
import { duplicate } from '../../src/kernel/socket.js';
import { SpareDescriptors } from '../../src/kernel/spare_descriptors.js';
import { TcpState, tcpState } from '../../src/kernel/tcp_info.js';
import { waitFor } from './harness.js';

const opened: { destroy(): void }[] = [];

afterEach(() => {
  for (const each of opened.splice(0)) each.destroy();
});

/** A connection on loopback: the descriptor of one end, as the engine has it, and the other end. */
async function connection(): Promise<{ fd: number; peer: net.Socket; errors: string[] }> {
  const server = net.createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
  const near = net.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1' });
  const peer = await accepted;
  await new Promise((resolve) =>
    near.readyState === 'open' ? resolve(null) : near.once('connect', resolve),
  );
  server.close();
  const errors: string[] = [];
  peer.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? ''));
  peer.resume();
  const fd = duplicate((near as unknown as { _handle: { fd: number } })._handle.fd);
  // Node's descriptor goes, the connection stays: ours is a second one for it.
  near.destroy();
  opened.push(peer);
  return { fd, peer, errors };
}

interface Rig {
  table: FlowTable;
  handled: Handled;
  flow: TakenFlow;
  ends: [Awaited<ReturnType<typeof connection>>, Awaited<ReturnType<typeof connection>>];
  ended: () => boolean;
  counters: Counters;
}

async function handledFlow(clock: () => number): Promise<Rig> {
  const counters = new Counters();
  let ended = false;
  const onEnd = () => {
    ended = true;
  };
  // Nothing of the kernel program: no map, and no program to change an entry.
  const maps = { flows: -1, handshakes: -1 };
  const table = new FlowTable(
    maps,
    0,
    new FlowEntry(-1),
    new Takeover(null, () => true, new SpareDescriptors(0, 0)),
    counters,
    onEnd,
    () => {},
  );
  const handled = new Handled(new Epoll(), table, clock);
  const identity = new Identity(new Uint8Array(KEY_BYTES), new Uint8Array(HANDSHAKE_BYTES));
  const flow = new TakenFlow(0, 0, 1, 'key', identity, 'handle');
  flow.state = 'handle';
  const ends: Rig['ends'] = [await connection(), await connection()];
  flow.fds[CLIENT] = ends[CLIENT].fd;
  flow.fds[SERVER] = ends[SERVER].fd;
  return { table, handled, flow, ends, ended: () => ended, counters };
}

const inState = (fd: number, state: number) => waitFor(`state ${state}`, () => tcpState(fd) === state);

it('is reset a minute after its FIN was acknowledged, and not before', async () => {
  let now = 1_000_000;
  const { table, handled, flow, ends, ended, counters } = await handledFlow(() => now);
  handled.orphan(flow, CLIENT);
  handled.orphan(flow, SERVER);
  for (const side of [CLIENT, SERVER] as const) {
    await inState(flow.fds[side], TcpState.FIN_WAIT2);
    handled.onEvent(flow, side);
  }
  now += LINGER_MS - 1;
  handled.settle(now);
  table.reap();
  expect(flow.finished).toBe(false);
  now += 1;
  handled.settle(now);
  table.reap();
  expect(ended()).toBe(true);
  expect(flow.fds).toEqual([-1, -1]);
  expect(counters.get('reset')).toBe(1);
  // Node may see the reset on its half-open socket or only the kernel; the kernel always does.
  await waitFor('the peers know', () => ends.every(({ peer }) => stateOf(peer) === TcpState.CLOSE));
});

it('waits as long as its peer likes while the FIN itself is not acknowledged or the peer has ended', async () => {
  let now = 1_000_000;
  const { table, handled, flow, ends, ended, counters } = await handledFlow(() => now);
  handled.orphan(flow, CLIENT);
  await inState(flow.fds[CLIENT], TcpState.FIN_WAIT2);
  handled.onEvent(flow, CLIENT);
  // The client ends within its minute; the server's socket is still in the handler's hands, for hours.
  ends[CLIENT].peer.end();
  await inState(flow.fds[CLIENT], TcpState.CLOSE);
  now += 100 * LINGER_MS;
  handled.settle(now);
  table.reap();
  expect(flow.finished).toBe(false);
  expect(ends[CLIENT].errors).toEqual([]);
  ends[SERVER].peer.end();
  await waitFor('CLOSE_WAIT', () => tcpState(flow.fds[SERVER]) === 8);
  handled.orphan(flow, SERVER);
  await inState(flow.fds[SERVER], TcpState.CLOSE);
  handled.onEvent(flow, SERVER);
  handled.settle(now);
  table.reap();
  expect(ended()).toBe(true);
  expect(counters.get('closed')).toBe(1);
  expect(counters.get('reset')).toBe(0);
});

function stateOf(socket: net.Socket): number {
  const fd = (socket as unknown as { _handle: { fd: number } | null })._handle?.fd ?? -1;
  return tcpState(fd);
}
