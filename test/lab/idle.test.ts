/** Taken flows of which nobody speaks, and what of the middle can be reached from outside. */
import { describe, expect, it } from 'vitest';
import { counts, sleep, useRig, waitFor } from './harness.js';

const rig = useRig('idle');

describe.each(['server4', 'server6'] as const)('an idle flow to %s', (address) => {
  it('has no timer in the middle, and goes on when somebody speaks', async () => {
    const port = rig.port();
    const host = rig.lab.addresses[address];
    await rig.serve({ port, mode: 'exchange', send: 1000, when: 'connect' });
    const timers = () =>
      rig.lab.exec('middle', [
        'ss',
        '-Htno',
        'state',
        'established',
        `( sport = :${port} or dport = :${port} )`,
      ]).stdout;
    const gained = await rig.counted(async () => {
      const talk = rig.client({ host, port, send: 1000, expect: 1000, start: 'data', delayMs: 6000 });
      await waitFor('the takeover', async () => (await rig.engine.stats()).flows.active === 1);
      // Acknowledgements and the probe of a tail that was lost are over by then.
      await waitFor('no timer is set', () => !timers().includes('timer:'), 4000);
      expect(timers().trim().split('\n')).toHaveLength(2);
      await sleep(300);
      expect(timers()).not.toContain('timer:');
      expect(await talk).toMatchObject({ ok: 1, failed: {} });
    });
    expect(counts(gained)).toEqual({ intercepted: 1 });
  });
});

describe('the listeners of the engine', () => {
  it('are reached from neither side, by none of the addresses of the middle', async () => {
    const listening = rig.lab.exec('middle', ['ss', '-Htln']).stdout.trim().split('\n');
    const ports = listening.map((line) => Number(/:(\d+)\s/.exec(line)?.[1]));
    expect(ports.length).toBeGreaterThan(0);
    const { addresses } = rig.lab;
    const middle = [
      ...[addresses.middleToClient4, addresses.middleToClient6],
      ...[addresses.middleToServer4, addresses.middleToServer6],
    ];
    for (const role of ['client', 'server'] as const) {
      for (const host of middle) {
        for (const port of ports) {
          const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}/`;
          const tried = rig.lab.exec(role, ['curl', '-sS', '-m', '1', url], { allowFailure: true });
          // 7: refused, as on any router where nothing listens.
          expect(tried.code, `${role} to ${url}: ${tried.stderr}`).toBe(7);
        }
      }
    }
  });
});
