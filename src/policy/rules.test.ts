import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cidrContains, parseCidr } from './cidr.js';
import { UsageError } from './errors.js';
import {
  compileRules,
  matchRule,
  maxCompiledRules,
  modulesOf,
  parseAction,
  type RuleInput,
} from './rules.js';

const address = (text: string) => parseCidr(text).bytes;

describe('parseAction', () => {
  it('reads the actions that there are', () => {
    expect(parseAction('relay')).toEqual({ action: 'relay' });
    expect(parseAction('forward')).toEqual({ action: 'forward' });
    expect(parseAction('peek')).toEqual({ action: 'peek' });
    expect(parseAction('handle=./a=b.mjs')).toEqual({ action: 'handle', module: './a=b.mjs' });
  });

  it.each(['steer', 'steer=127.0.0.1:80'])('says that %s is not available yet', (text) => {
    expect(() => parseAction(text)).toThrow(/not available yet/);
  });

  it.each(['', 'Relay', 'handle', 'handle=', 'peeking', 'drop'])('refuses %j', (text) => {
    expect(() => parseAction(text)).toThrow(UsageError);
  });
});

describe('compileRules', () => {
  it('multiplies ports, sources and destinations', () => {
    const rows = compileRules([
      { ports: [80, 443], from: ['10.0.0.0/8', '2001:db8::/32'], to: ['192.0.2.1'] },
    ]);

    expect(rows).toHaveLength(4);
    expect(rows.every((row) => row.rule === 0 && row.action === 'relay' && row.module === null)).toBe(true);
  });

  it('takes an empty or absent list for anyone', () => {
    expect(compileRules([{ ports: [80], from: [], action: 'forward' }])).toEqual([
      {
        rule: 0,
        lo: 80,
        hi: 80,
        from: null,
        to: null,
        action: 'forward',
        ecnOff: false,
        strip: false,
        module: null,
        peek: null,
        release: null,
      },
    ]);
  });

  it('reads the settings of a rule', () => {
    expect(compileRules([{ ports: [80], ecn: 'off' }])).toMatchObject([{ ecnOff: true, strip: false }]);
    expect(compileRules([{ ports: [80], unsupported: 'strip' }])).toMatchObject([
      { ecnOff: false, strip: true },
    ]);
  });

  it.each([
    [{ ports: [1], ecn: 'on' }, /found ecn "on", expected off/],
    [{ ports: [1], ecn: false }, /found ecn false, expected off/],
    [{ ports: [1], unsupported: null }, /found unsupported nothing, expected strip/],
    [{ ports: [1], unsupported: 'forward' }, /found unsupported "forward", expected strip/],
    [{ ports: [1], ecn: 'off', action: 'forward' }, /rule 1 says action forward and ecn: off/],
    [{ ports: [1], unsupported: 'strip', action: 'forward' }, /action forward and unsupported: strip/],
    [{ ports: [1], when: [] }, /rule 1 says action relay and when/],
    [{ ports: [1], otherwise: 'reset', action: 'forward' }, /rule 1 says action forward and otherwise/],
    [{ ports: [1], release: { after: 1 }, action: 'forward' }, /rule 1 says action forward and release/],
    [{ ports: [1], release: { after: 1 }, action: 'handle' }, /only what is relayed can be released/],
    [{ ports: [1], release: { after: 1 }, action: 'peek' }, /rule 1 says release, but none of its clauses/],
    [{ ports: [1], release: {} }, /neither after nor idle/],
  ])('refuses %j', (rule, message) => {
    expect(() => compileRules([rule as RuleInput])).toThrow(message);
    expect(() => compileRules([rule as RuleInput])).toThrow(UsageError);
  });

  it('reads when a relayed flow is released', () => {
    expect(compileRules([{ ports: [80], release: { after: '64KiB', idle: '30s' } }])).toMatchObject([
      { release: { after: 65536, idleMs: 30_000 }, peek: null },
    ]);
  });

  it('reads what a peek leads to, the same for each row', () => {
    const rows = compileRules([
      { ports: [80, 443], action: 'peek', when: [{ sni: '*', then: 'relay' }], release: { idle: '5m' } },
      { ports: [22], action: 'peek' },
    ]);
    const release = { after: null, idleMs: 300_000 };

    expect(rows[0]?.peek?.clauses).toMatchObject([{ sni: [{ kind: 'any' }], outcome: { release } }]);
    expect(rows[0]?.peek?.otherwise).toEqual({ action: 'forward', module: null, release: null });
    expect(rows[1]?.peek).toBe(rows[0]?.peek);
    expect(rows[2]?.peek).toEqual({ clauses: [], otherwise: rows[0]?.peek?.otherwise });
    expect(rows.map((row) => row.release)).toEqual([null, null, null]);
  });

  it('says how many rows are too many', () => {
    const odd = Array.from({ length: maxCompiledRules }, (_, i) => 2 * i + 1);

    expect(compileRules([{ ports: odd }])).toHaveLength(maxCompiledRules);
    expect(() => compileRules([{ ports: odd }, { ports: [2] }])).toThrow(
      /limit for all rules together is 256/,
    );
  });

  it.each([
    [{ ports: [] }],
    [{ ports: [0] }],
    [{ ports: [80], to: ['nowhere'] }],
    [{ ports: [80], action: 'steer' }],
    [{ ports: [80], from: '10.0.0.0/8' }],
  ])('refuses %j', (rule) => {
    expect(() => compileRules([rule as unknown as RuleInput])).toThrow(UsageError);
  });
});

describe('modulesOf', () => {
  it('names each module once', () => {
    const when: RuleInput['when'] = [
      { sni: '*', then: 'handle=a.mjs' },
      { sni: '*', then: 'handle=b.mjs' },
      { sni: '*', then: 'handle' },
    ];

    expect(modulesOf({ ports: [1], action: 'peek', when, otherwise: 'handle=a.mjs' })).toEqual([
      'a.mjs',
      'b.mjs',
    ]);
    expect(modulesOf({ ports: [1], action: 'handle', module: 'c.mjs' })).toEqual(['c.mjs']);
    expect(modulesOf({ ports: [1] })).toEqual([]);
  });
});

describe('matchRule', () => {
  const rows = compileRules([
    { ports: ['8000-8100'], to: ['192.0.2.1'], action: 'forward' },
    { ports: ['1-65535'], from: ['::/0'], action: 'handle' },
    { ports: [80, 8080] },
  ]);
  const action = (from: string, to: string, port: number) =>
    matchRule(rows, address(from), address(to), port)?.action;

  it('lets the first rule that matches decide', () => {
    expect(action('198.51.100.1', '192.0.2.1', 8080)).toBe('forward');
    expect(action('198.51.100.1', '192.0.2.2', 8080)).toBe('relay');
    expect(action('2001:db8::1', '2001:db8::2', 8080)).toBe('handle');
    expect(action('198.51.100.1', '192.0.2.1', 22)).toBeUndefined();
  });

  it('agrees with the rules read one by one', () => {
    // Few and close values, so that rules overlap often.
    const host = fc.integer({ min: 0, max: 15 }).map((n) => `10.0.0.${n}`);
    const net = fc
      .tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 28, max: 32 }))
      .map(([n, prefix]) => {
        return `10.0.0.${n & (0xff << (32 - prefix)) & 0xff}/${prefix}`;
      });
    const rule = fc.record({
      ports: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 3 }),
      from: fc.array(net, { maxLength: 2 }),
      to: fc.array(net, { maxLength: 2 }),
      action: fc.constantFrom('relay' as const, 'forward' as const),
    });
    const side = (list: string[], text: string) =>
      list.length === 0 || list.some((item) => cidrContains(parseCidr(item), address(text)));

    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 5 }),
        host,
        host,
        fc.integer({ min: 1, max: 7 }),
        (rules, from, to, port) => {
          const expected = rules.findIndex(
            (r) => r.ports.includes(port) && side(r.from, from) && side(r.to, to),
          );
          const found = matchRule(compileRules(rules), address(from), address(to), port);

          expect(found?.rule ?? -1).toBe(expected);
        },
      ),
    );
  });
});
