/** Other rules in one step: a handshake keeps the rule that selected it, whenever its first data comes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { counts, useRig, waitFor } from './harness.js';
import type { Program } from './program.js';

const rig = useRig('reload', { run: null });

/** A handler that says its name to the client first. */
function handler(name: string): string {
  const path = join(rig.folder, `${name}.mjs`);
  const says = `flow.client.write('${name}:'); flow.client.pipe(flow.server); flow.server.pipe(flow.client);`;
  writeFileSync(path, `export default (flow) => { ${says} };\n`);
  return `handle=${path}`;
}

function write(rules: [port: number, action: string][]): string {
  const path = join(rig.folder, 'rules.yaml');
  const lines = rules.map(([port, action]) => `  - { ports: [${port}], action: "${action}" }\n`);
  writeFileSync(path, `rules:\n${lines.join('')}`);
  return path;
}

async function reload(rules: [port: number, action: string][]): Promise<void> {
  const reloads = () => rig.engine.events.filter(({ event }) => event === 'reloaded').length;
  const before = reloads();
  write(rules);
  rig.engine.child.kill('SIGHUP');
  await waitFor('the new rules are in force', () => reloads() > before);
}

async function say(client: Program): Promise<Record<string, string>> {
  client.child.kill('SIGHUP');
  const line = await client.line<{ answers: Record<string, string> }>((text) =>
    text.startsWith('{"answers"'),
  );
  return line.answers;
}

it('a handshake from before a reload, or before many, gets the action of its own rule', async () => {
  const [a, b, c] = [rig.port(), rig.port(), rig.port()] as const;
  const [one, two] = [handler('one'), handler('two')];
  for (const port of [a, b, c]) await rig.serve({ port, mode: 'echo' });
  const connect = () =>
    rig.start('client', 'late.mjs', { host: rig.lab.addresses.server4, ports: [a, b, c] });
  rig.engine = await rig.startEngine([
    '-c',
    write([
      [a, 'relay'],
      [b, one],
      [c, 'forward'],
    ]),
  ]);
  const old = await connect();
  const patient = await connect();
  await reload([
    [b, two],
    [a, 'forward'],
    [c, one],
  ]);
  const fresh = await connect();

  const gained = await rig.engine.stats();
  expect(await say(old)).toEqual({ [a]: 'hello', [b]: 'one:hello', [c]: 'hello' });
  expect((await rig.engine.flows()).map(({ action }) => action).sort()).toEqual(['handle', 'relay']);
  expect(await say(fresh)).toEqual({ [a]: 'hello', [b]: 'two:hello', [c]: 'one:hello' });
  // `forward` is decided at the SYN: c for the two old clients, a for the new one.
  expect(counts(gained)).toEqual({ decided: 3 });
  expect(counts(await rig.engine.stats())).toEqual({ decided: 3, intercepted: 4 });

  // Back in the first bank, where the patient client's rules were.
  await reload([[a, two]]);
  await reload([[c, two]]);
  expect(await say(patient)).toEqual({ [a]: 'hello', [b]: 'one:hello', [c]: 'hello' });
  expect(counts(await rig.engine.stats())).toEqual({ decided: 3, intercepted: 6 });
});
