import { CommanderError } from 'commander';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { runOptions } from './run-options.js';
import type { RunFlags } from './settings.js';

function parse(argv: string[], environment: Record<string, string> = {}): RunFlags {
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  let flags: RunFlags = {};
  runOptions()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .action((parsed: RunFlags) => {
      flags = parsed;
    })
    .parse(argv, { from: 'user' });
  return flags;
}

afterEach(() => vi.unstubAllEnvs());

describe('the command line of run', () => {
  it('repeats and separates by commas', () => {
    expect(
      parse(['-i', 'a', '-i', 'b,c', '-p', '80, 443', '--to', '::1', '--workers', '2', '--drain', '0.5']),
    ).toEqual({ interface: ['a', 'b', 'c'], ports: ['80', '443'], to: ['::1'], workers: 2, drain: 0.5 });
    expect(parse(['--busy-poll', '100'])).toEqual({ busyPoll: 100 });
  });

  it('takes what is not said from the environment', () => {
    const environment = { DESPLICE_INTERFACES: 'x,y', DESPLICE_PORTS: '1', DESPLICE_DRAIN: '9' };
    expect(parse(['-p', '80'], environment)).toEqual({ interface: ['x', 'y'], ports: ['80'], drain: 9 });
  });

  it.each([
    [['--workers', '1.5'], {}],
    [['--workers', '0'], {}],
    [['--busy-poll', '1.5'], {}],
    [['--drain', '-1'], {}],
    [['--drain', ''], {}],
    [['-p', '80,,443'], {}],
    [['--nonsense'], {}],
    [['stray'], {}],
    [[], { DESPLICE_WORKERS: 'many' }],
  ])('refuses %j %j', (argv, environment) => {
    expect(() => parse(argv, environment)).toThrow(CommanderError);
  });
});
