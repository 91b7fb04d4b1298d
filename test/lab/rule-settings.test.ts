/** `ecn: off` and `unsupported: strip` between ends that would agree on more: they agree on less, and the flow is taken. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { firstPorts, Path } from '../fidelity/harness/path.js';
import { countedEnds, type LabEnds } from './ends.js';

let path: Path;
const next = { ...firstPorts };

beforeAll(async () => {
  path = await Path.up('desplice', {});
});
afterAll(() => path?.down());

/** 20 kB each way; what TCP_INFO says of both ends in the middle of it. */
async function talk({ client, server }: LabEnds, protocol: 'TCP' | 'MPTCP' = 'TCP') {
  const listener = await server.listen({ protocol });
  const c = await client.connect({ protocol });
  const s = await listener.accept();
  await c.send(20_000);
  expect(await s.receive(20_000)).toEqual({ bytes: 20_000, end: 'enough' });
  await s.send(20_000);
  expect(await c.receive(20_000)).toEqual({ bytes: 20_000, end: 'enough' });
  const info = [await c.peek(), await s.peek()];
  await c.close();
  expect((await s.receive()).end).toBe('EOF');
  await s.close();
  return info;
}

describe.each([4, 6] as const)('over IPv%s', (family) => {
  it.each([
    ['default', true],
    ['ecnOff', false],
    ['strip', true],
  ] as const)('ends that want ECN, with the rule %s', async (rule, ecn) => {
    const counts = await countedEnds(path, family, next[rule]++, async (ends) => {
      for (const end of [ends.client, ends.server]) await end.sysctl('ipv4/tcp_ecn', 1);
      expect(await talk(ends)).toMatchObject([{ ecn }, { ecn }]);
    });
    expect(counts).toEqual({ 'flows.intercepted': 1 });
  });

  it.each([
    ['default', { 'forwarded.unsupportedOption': 1, 'forwarded.byOption.mptcp': 1 }],
    ['ecnOff', { 'forwarded.unsupportedOption': 1, 'forwarded.byOption.mptcp': 1 }],
    ['strip', { 'flows.intercepted': 1 }],
  ] as const)('ends that want MPTCP, with the rule %s', async (rule, wanted) => {
    const counts = await countedEnds(path, family, next[rule]++, async (ends) => {
      await talk(ends, 'MPTCP');
    });
    expect(counts).toEqual(wanted);
  });
});
