/** Where only one direction passes by, we see half a conversation, and keep out of it. */
import { expect, it } from 'vitest';
import { counts, useRig } from './harness.js';

const rig = useRig('asymmetric', { topology: 'asymmetric' });
const talk = { send: 5000, when: 'data' };

async function connections(address: 'server4' | 'server6', n: number): Promise<Record<string, number>> {
  const host = rig.lab.addresses[address];
  const port = rig.port();
  await rig.serve({ port, mode: 'exchange', ...talk });
  const gained = await rig.counted(async () => {
    const client = { host, port, flows: n, parallel: 10, send: 5000, expect: 5000 };
    expect(await rig.client(client)).toMatchObject({ ok: n, failed: {} });
  });
  return counts(gained);
}

it('only the client is heard: each connection works and is counted once', async () => {
  expect(await connections('server4', 50)).toEqual({ asymmetric: 50 });
  expect(await connections('server6', 50)).toEqual({ asymmetric: 50 });
});

it('only the server is heard: the same', async () => {
  const { middleToServer4, middleToServer6, client4, client6 } = rig.lab.addresses;
  const routes = [
    ['client', '198.51.100.0/24', '203.0.113.1', 'src', client4],
    ['client', '2001:db8:2::/64', '2001:db8:3::1', 'src', client6],
    ['server', '192.0.2.0/24', middleToServer4],
    ['server', '2001:db8:1::/64', middleToServer6],
  ] as const;
  for (const [role, to, ...via] of routes) {
    rig.lab.exec(role, ['ip', 'route', 'replace', to, 'via', ...via]);
  }
  expect(await connections('server4', 50)).toEqual({ asymmetric: 50 });
  expect(await connections('server6', 50)).toEqual({ asymmetric: 50 });
});

it('both are heard again: they are intercepted', async () => {
  const { middleToClient4 } = rig.lab.addresses;
  rig.lab.exec('client', ['ip', 'route', 'replace', '198.51.100.0/24', 'via', middleToClient4]);
  expect(await connections('server4', 20)).toEqual({ intercepted: 20 });
});
