import { type Ends, type Scenario, scenario } from '../../harness/scenario.js';

const standard =
  'RFC 2385 section 2: segments without the right signature are dropped, so that it must not be stripped';

async function talk({ client, server }: Ends): Promise<void> {
  const listener = await server.listen({ md5Key: 'secret' });
  const c = await client.connect({ md5Key: 'secret' });
  const s = await listener.accept();
  await c.send(20_000);
  await s.receive(20_000);
  await s.send(20_000);
  await c.receive(20_000);
  await c.close();
  await s.receive();
  await s.close();
}

const common = {
  group: 'options',
  faults: [12],
  standard,
  randomOptions: true as const,
  taken: 'unsupportedOption.md5',
  run: talk,
} satisfies Partial<Scenario>;

export default [
  scenario({ ...common, name: 'md5-of-linux' }),
  scenario({ ...common, name: 'md5-of-linux-not-stripped', rule: 'strip' }),
  scenario({ ...common, name: 'md5-of-linux-ecn-off', rule: 'ecnOff' }),
];
