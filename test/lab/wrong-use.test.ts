/** A mistake costs one clear message, and nothing was set up. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { ExecResult } from '../../src/lab/index.js';
import { bin, useRig } from './harness.js';
import { systemState } from './state.js';

const rig = useRig('wrong-use', { run: null });

afterEach(async () => {
  if (rig.engine?.running) expect(await rig.engine.stop()).toBe(0);
});

function desplice(args: string[], as: string[] = []): ExecResult {
  const before = systemState(rig.lab);
  const argv = [...as, process.execPath, bin, ...args];
  const result = rig.lab.exec('middle', argv, { allowFailure: true, timeoutMs: 30_000 });
  expect(systemState(rig.lab), 'the middle is as it was').toBe(before);
  return result;
}

function run(args: string[], as: string[] = []): ExecResult {
  return desplice(['run', '--control', join(rig.folder, 'mistake.sock'), ...args], as);
}

/** One message, perhaps with a hint, and no stack trace. */
function expectMistake({ code, stdout, stderr }: ExecResult, exitCode: number, words: RegExp): void {
  expect(stderr).toMatch(words);
  expect(stderr.trim().split('\n').length, stderr).toBeLessThanOrEqual(2);
  expect(stderr).toMatch(/^desplice: /);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(stdout).toBe('');
  expect(code).toBe(exitCode);
}

const both = ['-i', 'toclient', '-i', 'toserver'];

describe('usage', () => {
  it.each<[string, string[], RegExp]>([
    ['neither ports nor a file', both, /-p|--ports/],
    ['no interface', ['-p', '80'], /interface/],
    ['a bad port list', [...both, '-p', '80,http'], /http/],
    ['a port out of range', [...both, '-p', '80,70000'], /70000/],
    ['a range the wrong way round', [...both, '-p', '90-80'], /90-80/],
    ['an empty port list', [...both, '-p', ''], /port/i],
    ['a bad CIDR', [...both, '-p', '80', '--from', '192.0.2.0/33'], /192\.0\.2\.0\/33/],
    ['a bad target CIDR', [...both, '-p', '80', '--to', '2001:db8::/129'], /2001:db8::\/129/],
    ['an unknown action', [...both, '-p', '80', '--action', 'swallow'], /swallow/],
    ['a handler that is not there', [...both, '-p', '80', '--action', 'handle=./nope.mjs'], /nope\.mjs/],
    ['an unknown flag', [...both, '-p', '80', '--prots', '80'], /--prots/],
    [
      'a busy poll that is too long',
      [...both, '-p', '80', '--busy-poll', '200000'],
      /200000, expected microseconds/,
    ],
    ['a bad number of workers', [...both, '-p', '80', '--workers', '0'], /workers|0/],
    [
      'a file that is not there',
      [...both, '-c', '/nonexistent/desplice.yaml'],
      /\/nonexistent\/desplice\.yaml/,
    ],
    ['an unknown interface', ['-i', 'toclient', '-i', 'eth77', '-p', '80'], /eth77/],
  ])('%s', (_what, args, words) => {
    const result = run(args);
    // Whether an interface exists is a fact about the machine: 1 will do for it.
    expectMistake(result, words.source === 'eth77' ? result.code : 2, words);
    expect([1, 2]).toContain(result.code);
  });
});

describe('the file', () => {
  const good = 'interfaces: [toclient, toserver]\nrules:\n  - ports: [80]\n';

  it.each<[string, string, string, RegExp]>([
    ['a port that is none', good.replace('[80]', '[eighty]'), '3:13', /eighty/],
    ['a port out of range', good.replace('[80]', '[80, 99999]'), '3:17', /99999/],
    ['a bad CIDR', `${good}    to: [198.51.100.0/99]\n`, '4:10', /198\.51\.100\.0\/99/],
    ['an unknown key', `${good}prots: [80]\n`, '4:1', /prots/],
    ['an unknown action', `${good}    action: swallow\n`, '4:13', /swallow/],
    ['broken YAML', `${good}limits: {flows: 10\n`, '', /./],
  ])('%s', (_what, text, place, words) => {
    const file = join(rig.folder, 'desplice.yaml');
    writeFileSync(file, text);
    const result = run(['-c', file]);
    expectMistake(result, 2, words);
    expect(result.stderr).toMatch(/desplice\.yaml:\d+:\d+/);
    if (place !== '') expect(result.stderr).toContain(`${file}:${place}`);
  });
});

it('neither the file nor a flag names an interface', () => {
  const file = join(rig.folder, 'bare.yaml');
  writeFileSync(file, 'rules:\n  - ports: [80]\n');
  expectMistake(run(['-c', file]), 2, /interface/);
});

describe('without privileges', () => {
  // May read the project wherever it lies, and nothing else.
  const nobody = [
    ...['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'],
    ...['--inh-caps', '-all,+dac_override', '--ambient-caps', '-all,+dac_override'],
  ];
  const bare = ['setpriv', '--bounding-set', '-net_admin,-net_raw,-bpf,-sys_admin'];

  it.each([
    ['as another user', nobody],
    ['as root without capabilities', bare],
  ])('%s', (_what, as) => {
    const result = run([...both, '-p', '80'], as);
    expectMistake(result, 1, /root|privilege|CAP_/i);
  });
});

describe('a second engine', () => {
  it('on the same interfaces is refused, and the first goes on', async () => {
    rig.engine = await rig.startEngine(['-p', '8000-8999']);
    const result = run([...both, '-p', '80']);
    expectMistake(result, 1, /toclient|toserver|engine|running/);
    const port = rig.port();
    await rig.serve({ port, mode: 'echo' });
    const gained = await rig.counted(async () => {
      await rig.client({ host: rig.lab.addresses.server4, port, send: 10 }).catch(() => {});
    });
    expect(gained.flows.intercepted).toBe(1);
  });

  it('on the same control socket is refused', async () => {
    rig.engine = await rig.startEngine(['-p', '8000-8999']);
    const result = desplice(['run', ...both, '-p', '80', '--control', rig.engine.control]);
    expectMistake(result, 1, /control\.sock/);
    expect((await rig.engine.stats()).flows.active).toBe(0);
  });
});

it('asking an engine that is not there', () => {
  const result = desplice(['stats', '--control', join(rig.folder, 'nobody.sock')]);
  expectMistake(result, 1, /nobody\.sock/);
});
