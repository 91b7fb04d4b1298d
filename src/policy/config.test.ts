import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadConfig } from './config.js';
import { UsageError } from './errors.js';

const load = (text: string) => loadConfig(text, 'd.yaml');

function mistake(text: string): string {
  try {
    load(text);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as UsageError).message;
  }
  throw new Error('the text was accepted');
}

describe('loadConfig', () => {
  it('reads the example of the manual', () => {
    const text = `
interfaces: [eth0, eth1]
rules:                          # the first rule that matches decides; none: forward
  - ports: [80, "8000-8100"]
    to: [198.51.100.0/24, "2001:db8::/32"]
    from: []                    # empty or absent: anyone
    action: relay
limits: { flows: 100000 }
control: /run/desplice.sock
`;

    expect(load(text)).toEqual({
      interfaces: ['eth0', 'eth1'],
      rules: [
        { ports: [80, '8000-8100'], to: ['198.51.100.0/24', '2001:db8::/32'], from: [], action: 'relay' },
      ],
      limits: { flows: 100000 },
      control: '/run/desplice.sock',
    });
  });

  it('splits handle=MODULE', () => {
    expect(load('rules: [{ports: [1], action: handle=./m.mjs}]').rules).toEqual([
      { ports: [1], action: 'handle', module: './m.mjs' },
    ]);
  });

  it('reads the settings of a rule', () => {
    expect(load('rules: [{ports: [1], ecn: off, unsupported: strip}]').rules).toEqual([
      { ports: [1], action: 'relay', ecn: 'off', unsupported: 'strip' },
    ]);
  });

  it('follows anchors', () => {
    expect(load('rules:\n  - ports: &p [80]\n  - ports: *p\n    action: forward').rules[1]?.ports).toEqual([
      80,
    ]);
  });

  it.each([
    [
      'a port',
      'rules:\n  - ports: [80, 99999]',
      /^d\.yaml:2:17: rules\[0\]\.ports\[1\]: found "99999", expected a port/,
    ],
    ['a range', 'rules:\n  - ports:\n    - "9-8"', /^d\.yaml:3:7: .*"9-8".*backwards/],
    [
      'an address',
      'rules:\n  - ports: [80]\n    to: [here]',
      /^d\.yaml:3:10: rules\[0\]\.to\[0\]: found "here", expected an address/,
    ],
    ['an action', 'rules:\n  - ports: [80]\n    action: steer=::1', /^d\.yaml:3:13: .*not available yet/],
    [
      'an outcome for an action',
      'rules:\n  - ports: [80]\n    action: reset',
      /^d\.yaml:3:13: .*found action "reset", expected relay.*behind `then`/,
    ],
    [
      'ECN',
      'rules:\n  - ports: [80]\n    ecn: on',
      /^d\.yaml:3:10: rules\[0\]\.ecn: found ecn "on", expected off/,
    ],
    ['ECN left empty', 'rules:\n  - ports: [80]\n    ecn:', /^d\.yaml:3:.*found ecn nothing, expected off/],
    [
      'what to do with options',
      'rules:\n  - ports: [80]\n    unsupported: [strip]',
      /^d\.yaml:3:18: rules\[0\]\.unsupported: found unsupported a list, expected strip/,
    ],
    [
      'settings of what is forwarded',
      'rules:\n  - ports: [80]\n    action: forward\n    ecn: off',
      /^d\.yaml:2:3: rules: rule 1 says action forward and ecn: off/,
    ],
    [
      'an unknown key',
      'interfaces: [a]\ninterface: b',
      /^d\.yaml:2:1: interface: unknown key, expected one of interfaces, rules/,
    ],
    [
      'a nested unknown key',
      'rules:\n  - ports: [1]\n    port: 3',
      /^d\.yaml:3:5: .*unknown key.*ports, from, to, action/,
    ],
    [
      'a missing key',
      'rules:\n  - to: [10.0.0.1]',
      /^d\.yaml:2:5: rules\[0\]\.ports: found nothing, expected a list/,
    ],
    ['a scalar for a list', 'interfaces: eth0', /^d\.yaml:1:13: interfaces: found "eth0", expected a list/],
    [
      'a list left empty',
      'rules:\n  - ports: []',
      /^d\.yaml:2:12: .*found an empty list, expected at least one item/,
    ],
    ['a key left empty', 'rules:\n  - ports: [1]\n    from:', /^d\.yaml:3:.*found nothing, expected a list/],
    ['an interface', 'interfaces: [eth0, a/b]', /^d\.yaml:1:20: .*"a\/b".*interface/],
    ['a number', 'limits: {flows: -3}', /^d\.yaml:1:17: limits\.flows: found -3, expected a whole number/],
    ['a scalar for it all', 'hello', /^d\.yaml:1:1: found "hello", expected a mapping with interfaces/],
    ['an empty file', '', /^d\.yaml:1:1: found nothing, expected a mapping/],
    ['syntax', 'rules: [', /^d\.yaml:1:\d+: /],
    ['a tab', 'rules:\n\t- ports: [1]', /^d\.yaml:2:1: /],
    ['a key twice', 'control: /a\ncontrol: /b', /^d\.yaml:2:1: .*unique/],
    [
      'too many rows',
      `rules: [{ports: [${Array.from({ length: 257 }, (_, i) => 2 * i + 1)}]}]`,
      /^d\.yaml:1:8: .*256/,
    ],
  ])('says where the mistake is: %s', (_, text, message) => {
    expect(mistake(text)).toMatch(message);
  });

  it('tells all mistakes at once, up to ten', () => {
    expect(mistake('rules:\n  - ports: [0]\n    to: [x]').split('\n')).toHaveLength(2);
    expect(mistake(`interfaces: [${'/,'.repeat(30)}]`)).toMatch(/and 20 more mistakes$/);
  });

  it('survives aliases that multiply', () => {
    const levels = 'bcdefghij'.split('').map((c, i) => `${c}: &${c} [${`*${'abcdefghij'[i]},`.repeat(9)}]`);

    expect(mistake(`a: &a [x,x,x,x,x,x,x,x,x]\n${levels.join('\n')}`)).toMatch(/^d\.yaml:\d+:\d+: /);
  });

  it('throws nothing but UsageError, and always with a place', () => {
    const piece = fc.constantFrom(
      ...[
        'rules',
        'ports',
        'from',
        'to',
        'action',
        'ecn',
        'unsupported',
        'when',
        'sni',
        'then',
        'otherwise',
        'release',
        'after',
        'limits',
        ': ',
        '\n',
        '\n  - ',
        '[',
        ']',
        '{',
        '}',
        ',',
        '&a ',
        '*a',
      ],
      ...[
        '80',
        '"9-1"',
        '10.0.0.0/8',
        'handle=x',
        '!!x ',
        '__proto__',
        '? ',
        '|\n',
        '---\n',
        'null',
        '#',
        "'",
      ],
    );

    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece, { maxLength: 20 }).map((list) => list.join('')),
        ),
        (text) => {
          try {
            load(text);
          } catch (error) {
            expect(error).toBeInstanceOf(UsageError);
            expect((error as UsageError).message).toMatch(/^d\.yaml:\d+:\d+: /);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
