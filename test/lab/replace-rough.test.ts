/** `run --replace` where more is going on than relaying: releases, loss and delay, urgent bytes. */
import { afterEach, beforeAll, expect, it } from 'vitest';
import type { ReleaseOutcome } from '../../src/flow/stats.js';
import { Agent } from '../fidelity/harness/agent.js';
import { Host } from '../fidelity/harness/host.js';
import { Transcript } from '../fidelity/harness/transcript.js';
import { sleep, useRig, waitFor, watched } from './harness.js';
import { keepersOf } from './kept.js';
import { chatter, releaseAtRandom, roughPath, tally } from './releases.js';
import { socketsOf, systemState } from './state.js';

const REPLACEMENTS = 5;

const clear = useRig('replacing', { run: null });
const rough = useRig('replacerough', { run: null, path: roughPath });
type Rig = typeof clear;

beforeAll(() => {
  for (const rig of [clear, rough])
    for (const role of ['client', 'middle', 'server'] as const)
      rig.lab.exec(role, ['sh', '-c', 'echo reno > /proc/sys/net/ipv4/tcp_congestion_control']);
});

afterEach(async () => {
  for (const rig of [clear, rough]) {
    if (rig.engine?.running) expect(await rig.engine.stop()).toBe(0);
    expect(keepersOf(rig.lab), 'keepers').toEqual([]);
    expect(socketsOf(rig.lab), 'sockets in the middle').toBe('');
    expect(systemState(rig.lab)).toBe(rig.before);
  }
});

async function replace(rig: Rig, ...args: string[]): Promise<void> {
  const old = rig.engine;
  rig.engine = await rig.startEngine(['-p', watched, '--replace', ...args]);
  expect(await old.ended(20_000), old.stderr).toBe(0);
}

it.each([
  ['a clear path', clear, []],
  ['a clear path, with --keep', clear, ['--keep']],
  ['a path that delays and loses', rough, []],
])(
  '%s: flows are released all the while, and the engine is replaced: every byte arrives',
  async (_, rig, args) => {
    const { server4, server6 } = rig.lab.addresses;
    const flows = 80;
    rig.engine = await rig.startEngine(['-p', watched, ...args]);
    const { done } = await chatter(rig, { hosts: [server4, server6], flows, bytes: 250_000, gapMs: 250 });
    let over = false;
    const finished = done.finally(() => {
      over = true;
    });
    await waitFor('all are taken', async () => (await rig.engine.stats()).flows.active === flows);
    const outcomes: ReleaseOutcome[] = [];
    // All the while: whoever is asked answers, the old engine or the new one.
    const releasing = releaseAtRandom(rig.engine, () => over, { share: 0.02, outcomes });
    for (let n = 0; n < REPLACEMENTS; n++) {
      await sleep(200);
      await replace(rig, ...args);
    }
    const result = await finished;
    await releasing;
    const counts = tally(outcomes);
    console.log(counts);
    expect(result).toMatchObject({ ok: flows, failed: {} });
    expect(counts.released).toBeGreaterThan(0);
    await waitFor('nothing is left', async () => (await rig.engine.stats()).flows.active === 0);
    expect((await rig.engine.stats()).flows.reset).toBe(0);
  },
  120_000,
);

it.each([4, 6] as const)(
  'IPv%s: the engine is replaced around urgent bytes, and each keeps its place',
  async (family) => {
    const rig = clear;
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
    rig.engine = await rig.startEngine(['-p', watched]);
    const listener = await far.listen();
    const c = await near.connect();
    const s = await listener.accept();
    await c.send(10);
    await s.receive(10);
    await waitFor('it is taken', async () => (await rig.engine.stats()).flows.active === 1);
    // From one that does not keep to one that does, and back: each sends urgent bytes in its own way.
    for (const [n, args] of [['--keep'], [], ['--keep'], []].entries()) {
      const [from, to] = n < 2 ? [c, s] : [s, c];
      await from.send(2);
      await from.send(1, 'MSG_OOB');
      await replace(rig, ...args);
      expect(await to.receive(2)).toEqual({ bytes: 2, end: 'enough' });
      expect(await to.receiveUrgent()).toMatch(/^byte \d+$/);
      await from.send(5);
      expect(await to.receive(5)).toEqual({ bytes: 5, end: 'enough' });
    }
    expect((await rig.engine.stats()).flows).toMatchObject({ intercepted: 1, active: 1, reset: 0 });
    expect(shared.transcript.entries.filter(({ result }) => result.includes('wrong'))).toEqual([]);
    await c.close();
    await s.close();
    await waitFor('it is closed', async () => (await rig.engine.stats()).flows.active === 0);
    await near.clean();
    await far.clean();
  },
  60_000,
);
