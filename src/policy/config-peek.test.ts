import { describe, expect, it } from 'vitest';
import { loadConfig } from './config.js';

const load = (text: string) => loadConfig(text, 'd.yaml');

/** Four lines, and then the clauses. */
const peek = 'rules:\n  - ports: [443]\n    action: peek\n    when:\n';

describe('rules that peek or release', () => {
  it('reads the clauses of a peek', () => {
    const text = `
rules:
  - ports: [443]
    action: peek
    when:
      - { sni: ["*.example.com", example.org], then: forward }
      - { protocol: tls, alpn: [h2], then: relay, release: { after: 64KiB } }
      - { http.host: "*", http.method: POST, then: handle=./m.mjs }
    otherwise: relay
    release: { idle: 30s }
`;

    expect(load(text).rules).toEqual([
      {
        ports: [443],
        action: 'peek',
        when: [
          { sni: ['*.example.com', 'example.org'], then: 'forward' },
          { protocol: 'tls', alpn: ['h2'], then: 'relay', release: { after: '64KiB' } },
          { 'http.host': '*', 'http.method': 'POST', then: 'handle=./m.mjs' },
        ],
        otherwise: 'relay',
        release: { idle: '30s' },
      },
    ]);
    expect(load('rules: [{ports: [1], action: peek}]').rules).toEqual([{ ports: [1], action: 'peek' }]);
  });

  it.each([
    [
      'a name',
      `${peek}      - sni: [a.example, "a.*.example"]\n        then: reset`,
      /^d\.yaml:5:26: rules\[0\]\.when\[0\]\.sni\[1\]: found "a\.\*\.example", expected a name\. An asterisk/,
    ],
    [
      'a single name',
      `${peek}      - http.host: http://a.example\n        then: reset`,
      /^d\.yaml:5:20: rules\[0\]\.when\[0\]\.http\.host: found .* without scheme/,
    ],
    [
      'a name beyond ASCII',
      `${peek}      - {sni: "*.bücher.example", then: reset}`,
      /^d\.yaml:5:15: .*A-labels: \*\.xn--bcher-kva\.example\./,
    ],
    [
      'an asterisk without quotes',
      `${peek}      - {sni: *.a.example, then: reset}`,
      /^d\.yaml:5:15: .*put it in quotes/,
    ],
    ['an asterisk alone', `${peek}      - {sni: *, then: reset}`, /^d\.yaml:5:15: .*put it in quotes/],
    [
      'a protocol',
      `${peek}      - {protocol: [tls, http], then: reset}`,
      /^d\.yaml:5:26: .*found "http", expected one of tls, http1, http2, ssh, smtp, unknown/,
    ],
    ['a method', `${peek}      - {http.method: "G T", then: reset}`, /^d\.yaml:5:23: .*expected a method/],
    ['ALPN', `${peek}      - {alpn: [], then: reset}`, /^d\.yaml:5:16: .*an empty list, expected at least/],
    [
      'an outcome',
      `${peek}      - {alpn: h2, then: drop}`,
      /^d\.yaml:5:26: .*"drop", expected forward, relay/,
    ],
    [
      'an outcome without its module',
      `${peek}      - {alpn: h2, then: handle}`,
      /^d\.yaml:5:26: .*outcome "handle", which names no module/,
    ],
    ['no outcome', `${peek}      - {alpn: h2}`, /^d\.yaml:5:9: rules\[0\]\.when\[0\]\.then: found nothing/],
    [
      'a clause that says nothing',
      `${peek}      - {then: reset}`,
      /^d\.yaml:5:9: rules\[0\]\.when\[0\]: the clause says nothing that must hold/,
    ],
    [
      'an unknown key in a clause',
      `${peek}      - {snii: h2, then: reset}`,
      /^d\.yaml:5:10: .*unknown key, expected one of sni, alpn, http\.host, http\.method, protocol, then/,
    ],
    [
      'an empty list of clauses',
      'rules: [{ports: [1], action: peek, when: []}]',
      /^d\.yaml:1:42: .*at least one/,
    ],
    [
      'clauses without peek',
      'rules: [{ports: [1], otherwise: reset}]',
      /rule 1 says action relay and otherwise/,
    ],
    [
      'a number of bytes',
      'rules: [{ports: [1], release: {after: 64K}}]',
      /^d\.yaml:1:39: rules\[0\]\.release\.after: found "64K", expected a number of bytes.*64KiB/,
    ],
    ['a time', 'rules: [{ports: [1], release: {idle: 30}}]', /^d\.yaml:1:38: .*found 30, expected a time/],
    ['an empty release', 'rules: [{ports: [1], release: {}}]', /^d\.yaml:1:31: .*neither after nor idle/],
    [
      'a release of another shape',
      'rules: [{ports: [1], release: 5s}]',
      /^d\.yaml:1:31: .*mapping with after, idle/,
    ],
    [
      'an unknown key in a release',
      'rules: [{ports: [1], release: {afer: 1}}]',
      /^d\.yaml:1:32: .*unknown key, expected one of after, idle/,
    ],
    [
      'the release of what is not relayed',
      `${peek}      - {alpn: h2, then: reset, release: {after: 1}}`,
      /^d\.yaml:5:9: .*release goes with then: relay, and not with "reset"/,
    ],
  ])('say where the mistake is: %s', (_, text, message) => {
    expect(() => load(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => load(text)).toThrow(message);
  });

  it('name the same place each time', () => {
    const text = `${peek}      - {then: reset}`;
    const message = () => {
      try {
        load(text);
      } catch (error) {
        return (error as Error).message;
      }
      return 'accepted';
    };

    expect(message()).toBe(message());
  });
});
