/** `run --keep` where more is going on than relaying: engines that are killed while they release, and while packets are lost. */
import { afterEach, beforeAll, expect, it } from 'vitest';
import type { ReleaseOutcome } from '../../src/flow/stats.js';
import { chance, streamOf } from '../../src/lab/chance.js';
import { Agent } from '../fidelity/harness/agent.js';
import { Host } from '../fidelity/harness/host.js';
import { Transcript } from '../fidelity/harness/transcript.js';
import { type FlowsResult, sleep, useRig, waitFor, watched } from './harness.js';
import { keepersOf, kill } from './kept.js';
import { chatter, releaseAtRandom, roughPath, tally } from './releases.js';
import { connectionsOf, socketsOf, systemState } from './state.js';

const KILLS = 8;

const clear = useRig('keepreleasing', { run: null });
const rough = useRig('keeprough', { run: null, path: roughPath });

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

it.each([
  ['a clear path', clear],
  ['a path that delays and loses', rough],
])(
  '%s: flows are released all the while, and the engine is killed: every byte arrives',
  async (_, rig) => {
    const start = () => rig.startEngine(['-p', watched, '--keep']);
    const { server4, server6 } = rig.lab.addresses;
    const flows = 80;
    rig.engine = await start();
    const { done } = await chatter(rig, { hosts: [server4, server6], flows, bytes: 250_000, gapMs: 250 });
    let over = false;
    const finished = done.finally(() => {
      over = true;
    });
    await waitFor('all are taken', async () => (await rig.engine.stats()).flows.active === flows);
    const stream = streamOf(11, 0);
    const outcomes: ReleaseOutcome[] = [];
    let interrupted = 0;
    for (let n = 0; n < KILLS; n++) {
      let killed = false;
      // Few at a time, so that each engine has some left to release when it is killed.
      const releasing = releaseAtRandom(rig.engine, () => killed || over, { share: 0.05, outcomes }).catch(
        (error: Error) => {
          if (!killed) throw error;
          interrupted++;
        },
      );
      await sleep(100 + chance(stream, n) * 200);
      killed = true;
      await kill(rig.engine);
      await releasing;
      rig.engine = await start();
    }
    const last = releaseAtRandom(rig.engine, () => over, { outcomes });
    const result: FlowsResult = await finished;
    await last;
    const counts = tally(outcomes);
    console.log({ ...counts, interrupted });
    expect(result).toMatchObject({ ok: flows, failed: {} });
    expect(interrupted, 'engines killed while they released').toBeGreaterThan(0);
    expect(counts.released).toBeGreaterThan(0);
    await waitFor('nothing is left', async () => (await rig.engine.stats()).flows.active === 0);
    expect((await rig.engine.stats()).flows.reset).toBe(0);
    expect(connectionsOf(rig.lab)).toBe('');
  },
  120_000,
);

/** When the engine is killed, of the two bytes before the mark and the urgent one. */
const moments = ['before they are sent', 'when they are sent', 'a moment later'] as const;

it.each([4, 6] as const)(
  'IPv%s: the engine is killed around urgent bytes, and each keeps its place',
  async (family) => {
    const rig = clear;
    const { client4, client6, server4, server6 } = rig.lab.addresses;
    const [client, server] = family === 4 ? [client4, server4] : [client6, server6];
    const [atClient, atMiddle, atServer] = await Promise.all(
      (['client', 'middle', 'server'] as const).map((role) => Agent.start(rig.lab, role)),
    );
    const shared = {
      transcript: new Transcript(),
      family,
      port: rig.port(),
      middle: atMiddle as Agent,
      rawPeer: '',
    };
    const near = new Host({
      ...shared,
      end: 'client',
      agent: atClient as Agent,
      address: client,
      peer: server,
    });
    const far = new Host({
      ...shared,
      end: 'server',
      agent: atServer as Agent,
      address: server,
      peer: client,
    });
    const start = () => rig.startEngine(['-p', watched, '--keep']);
    rig.engine = await start();
    const listener = await far.listen();
    const c = await near.connect();
    const s = await listener.accept();
    await c.send(10);
    await s.receive(10);
    await waitFor('it is taken', async () => (await rig.engine.stats()).flows.active === 1);
    const stream = streamOf(5, family);
    for (const [n, moment] of [...moments, ...moments].entries()) {
      const [from, to] = n % 2 === 0 ? [c, s] : [s, c];
      if (moment === 'before they are sent') await kill(rig.engine);
      await from.send(2);
      await from.send(1, 'MSG_OOB');
      if (moment === 'a moment later') await sleep(chance(stream, n) * 4);
      if (moment !== 'before they are sent') await kill(rig.engine);
      rig.engine = await start();
      expect(await to.receive(2), moment).toEqual({ bytes: 2, end: 'enough' });
      expect(await to.receiveUrgent(), moment).toMatch(/^byte \d+$/);
      await from.send(5);
      expect(await to.receive(5), moment).toEqual({ bytes: 5, end: 'enough' });
    }
    expect((await rig.engine.stats()).flows).toMatchObject({ intercepted: 1, active: 1, reset: 0 });
    // The bytes themselves: the streams are known at both ends.
    expect(shared.transcript.entries.filter(({ result }) => result.includes('wrong'))).toEqual([]);
    await c.close();
    await s.close();
    await waitFor('it is closed', async () => (await rig.engine.stats()).flows.active === 0);
    await near.clean();
    await far.clean();
  },
  60_000,
);
