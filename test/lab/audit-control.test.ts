/** A control connection that does not take the path: the audit runs where the box lets nothing of it through, and ends when it ends. */
import { describe, expect, it } from 'vitest';
import { bin, useRig } from './harness.js';

const rig = useRig('control', { run: null });

/** As ssh would: a command whose input and output lead to the other machine. */
const there = (...serve: string[]) =>
  `ip netns exec ${rig.lab.server} ${[bin, 'audit', 'serve', '--control', 'stdio', ...serve].join(' ')}`;

async function audit(address: string, command: string, ...args: string[]) {
  const argv = [bin, 'audit', 'run', address, '--control', `exec=${command}`, '--json', ...args];
  const { code, stdout, stderr } = await rig.lab.run('client', argv, {
    allowFailure: true,
    timeoutMs: 60_000,
  });
  return { code, stdout, stderr };
}

const cases = ['source-address-kept', 'handshake-passes', 'reset-by-server', 'mss-mirrors-client'];
const chosen = cases.flatMap((id) => ['--case', id]);

const serversLeft = () =>
  rig.lab.exec('server', ['sh', '-c', `ip netns pids ${rig.lab.server} | xargs -r ps -o args= -p`], {
    allowFailure: true,
  }).stdout;

describe('audit run --control exec', () => {
  it.each([4, 6] as const)(
    'runs cases over IPv%s with the control port closed on the way',
    async (family) => {
      const chain = 'chain c { type filter hook forward priority 0; tcp dport 7400 drop; }';
      const rules = `table inet closed {\n${chain}\n}\n`;
      rig.lab.exec('middle', ['nft', '-f', '-'], { input: rules });
      try {
        const { server4, server6 } = rig.lab.addresses;
        const { code, stdout, stderr } = await audit(family === 4 ? server4 : server6, there(), ...chosen);
        const { cases: found } = JSON.parse(stdout) as { cases: { id: string; verdict: string }[] };
        expect(
          found.map(({ verdict }) => verdict),
          stderr,
        ).toEqual(cases.map(() => 'right'));
        expect(code).toBe(0);
      } finally {
        rig.lab.exec('middle', ['nft', 'delete', 'table', 'inet', 'closed']);
      }
      await expect.poll(serversLeft, { timeout: 5000 }).not.toContain('audit serve');
    },
  );

  it('reports a connection that breaks in the middle, with why, and does not hang', async () => {
    // The greeting and the first answers come; then the pipe is cut.
    const { code, stderr } = await audit(rig.lab.addresses.server4, `${there()} | head -n 12`);
    expect(stderr).toMatch(/the control connection to 198\.51\.100\.2 broke: /);
    expect(code).toBe(1);
    await expect.poll(serversLeft, { timeout: 5000 }).not.toContain('audit serve');
  });

  it('reports a command that cannot be run, and one that is none', async () => {
    const { server4 } = rig.lab.addresses;
    const absent = await audit(server4, 'ip netns exec no-such-namespace true');
    expect(absent.stderr).toMatch(
      /the control connection by .* the command ended with exit code \d+ before a greeting/,
    );
    expect(absent.code).toBe(1);
    const none = await rig.lab.run('client', [bin, 'audit', 'run', server4, '--control', 'pigeon=grey'], {
      allowFailure: true,
    });
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('ssh=[USER@]HOST')]);
  });

  it('says so when the machine at the other end is another one', async () => {
    const { code, stderr } = await audit('192.0.2.1', there());
    expect(stderr).toContain('has no address 192.0.2.1');
    expect(code).toBe(1);
  });
});
