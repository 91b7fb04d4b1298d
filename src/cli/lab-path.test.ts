import { Command, CommanderError } from 'commander';
import { describe, expect, it } from 'vitest';
import { pathConditions } from '../lab/conditions.js';
import { conditionLines, type PathFlags, pathOf, pathOptions } from './lab-path.js';

function flagsOf(argv: string[]): PathFlags {
  const command = new Command('up').exitOverride().configureOutput({ writeErr: () => {} });
  for (const option of pathOptions()) command.addOption(option);
  return command.parse(argv, { from: 'user' }).opts<PathFlags>();
}

const parse = (line: string) => pathOf(flagsOf(line === '' ? [] : line.split(' ')));
const lines = (line: string) => conditionLines(pathConditions(parse(line)));

describe('the options of a path', () => {
  it('are none', () => expect(parse('')).toBeUndefined());

  it.each([
    ['--delay 50ms --loss 1%', ['server link: delay 50 ms, loss 1 %, seed 1']],
    ['--delay 300us --jitter 0.1s --link client', ['client link: delay 0.3 ms ± 100 ms, seed 1']],
    ['--rate 1gbit', ['server link: 1000 Mbit/s, queue 100 ms, seed 1']],
    ['--rate 500kbit --queue 50packets --seed 9', ['server link: 0.5 Mbit/s, queue 50 packets, seed 9']],
    ['--rate 2.5mbit --queue 20ms', ['server link: 2.5 Mbit/s, queue 20 ms, seed 1']],
    ['--reorder 0.5% --duplicate 0.25', ['server link: reorder 0.5 %, duplicate 25 %, seed 1']],
    [
      '--loss 2% --direction toServer',
      ['server link: to the server loss 2 %, seed 1; to the client a plain wire'],
    ],
    ['--link both', ['client link: a plain wire', 'server link: a plain wire']],
    ['--mtu 1400', ['server link: a plain wire, MTU 1400']],
    [
      '--router server --router-mtu 1400 --eat-icmp',
      [
        'server router: forwards at most 1400 bytes to the server, 1400 bytes to the client, eats ICMP errors',
      ],
    ],
    ['--router both', ['client router: forwards', 'server router: forwards']],
  ])('%s', (line, expected) => expect(lines(line)).toEqual(expected));
});

describe('wrong use', () => {
  it.each([
    '--delay 50',
    '--delay -1ms',
    '--delay ms',
    '--loss 5',
    '--loss 101%',
    '--loss 1%%',
    '--rate 100',
    '--rate 0mbit',
    '--queue 0packets',
    '--seed 1.5',
    '--mtu big',
    '--link middle',
    '--direction up',
    '--router middle',
  ])('%s', (line) => expect(() => parse(line)).toThrow(CommanderError));

  it('a limit without a router', () => {
    expect(() => parse('--router-mtu 1400')).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => parse('--eat-icmp')).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

it('says that nothing passes when the shaper is gone', () => {
  expect(conditionLines(pathConditions({ client: {} }), ['client'])).toEqual([
    'client link: a plain wire  ITS SHAPER IS GONE: nothing passes',
  ]);
});
