/** A taken connection on which urgent bytes are sent while something happens to the engine. */
import { expect } from 'vitest';
import { Agent } from '../fidelity/harness/agent.js';
import { Host } from '../fidelity/harness/host.js';
import type { Socket } from '../fidelity/harness/socket.js';
import { Transcript } from '../fidelity/harness/transcript.js';
import { type Rig, waitFor } from './harness.js';

/** `action` gets both ends, with 10 bytes from the client behind them. All that comes has to be right. */
export async function withUrgentEnds(
  rig: Rig,
  family: 4 | 6,
  action: (c: Socket, s: Socket) => Promise<void>,
): Promise<void> {
  const { client4, client6, server4, server6 } = rig.lab.addresses;
  const [client, server] = family === 4 ? [client4, server4] : [client6, server6];
  const [atClient, middle, atServer] = await Promise.all([
    Agent.start(rig.lab, 'client'),
    Agent.start(rig.lab, 'middle'),
    Agent.start(rig.lab, 'server'),
  ]);
  const shared = { transcript: new Transcript(), family, port: rig.port(), middle, rawPeer: '' };
  const near = new Host({ ...shared, end: 'client', agent: atClient, address: client, peer: server });
  const far = new Host({ ...shared, end: 'server', agent: atServer, address: server, peer: client });
  const listener = await far.listen();
  const c = await near.connect();
  const s = await listener.accept();
  await c.send(10);
  await s.receive(10);
  await waitFor('it is taken', async () => (await rig.engine.stats()).flows.active === 1);
  await action(c, s);
  expect((await rig.engine.stats()).flows).toMatchObject({ intercepted: 1, active: 1, reset: 0 });
  // The bytes themselves: the streams are known at both ends.
  expect(shared.transcript.entries.filter(({ result }) => result.includes('wrong'))).toEqual([]);
  await c.close();
  await s.close();
  await waitFor('it is closed', async () => (await rig.engine.stats()).flows.active === 0);
  await near.clean();
  await far.clean();
}

export async function sendUrgent(from: Socket): Promise<void> {
  await from.send(2);
  await from.send(1, 'MSG_OOB');
}

/** What `sendUrgent` has sent has come, the mark at its place, and the stream goes on behind it. */
export async function expectUrgent(from: Socket, to: Socket, when: string): Promise<void> {
  expect(await to.receive(2), when).toEqual({ bytes: 2, end: 'enough' });
  expect(await to.receiveUrgent(), when).toMatch(/^byte \d+$/);
  await from.send(5);
  expect(await to.receive(5), when).toEqual({ bytes: 5, end: 'enough' });
}
