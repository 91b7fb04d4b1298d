import { describe, expect, it } from 'vitest';
import { type FlowInfo, forwardReasons, type Stats } from '../flow/stats.js';
import { formatAge, formatBytes, formatFlows, formatStats, table } from './format.js';

const stats: Stats = {
  handshakes: { seen: 1200, completed: 3, refused: 0, unanswered: 0 },
  flows: { intercepted: 3, active: 1, closed: 2, reset: 0, released: 0 },
  forwarded: Object.fromEntries(forwardReasons.map((name) => [name, 0])) as Stats['forwarded'],
  bytes: { toServer: 700, toClient: 1_500_000 },
  protocols: { tls: 4, http1: 3, http2: 0, ssh: 0, smtp: 0, unknown: 1 },
};
const syn = { mss: 1460, windowScale: 7, sackPermitted: true, timestamps: true, ecn: false, ttl: 64 };
const flow: FlowInfo = {
  id: '7',
  client: '192.0.2.7:50988',
  server: '[2001:db8::1]:443',
  state: 'relay',
  action: 'relay',
  since: '2026-01-31T12:00:00.000Z',
  bytes: { toServer: 700, toClient: 1_500_000 },
  handshake: { client: syn, server: syn },
};

describe('stats as text', () => {
  it('has every counter on a line of its own, with its meaning', () => {
    const lines = formatStats(stats).trimEnd().split('\n');
    expect(lines).toHaveLength(4 + 5 + forwardReasons.length + 2 + 6);
    expect(lines[0]).toMatch(/^handshakes\.seen +1200 {2}handshakes begun$/);
    expect(lines).toContainEqual(
      expect.stringMatching(/^bytes\.toClient +1500000 {2}towards clients \(1\.5 MB\)$/),
    );
    expect(lines.at(-1)).toMatch(/^protocols\.unknown +1 {2}none of these$/);
    // Whatever is counted is explained: the line ends in words.
    for (const line of lines) expect(line).toMatch(/\d {2}\S/);
  });

  it('opens groups inside groups', () => {
    const forwarded = { ...stats.forwarded, byOption: { 34: 2 } };
    expect(formatStats({ ...stats, forwarded })).toMatch(/^forwarded\.byOption\.34 +2$/m);
  });
});

describe('flows as text', () => {
  it('lines up under its heading', () => {
    const [head, line] = formatFlows([flow], new Date('2026-01-31T12:01:05Z')).split('\n');
    expect(head).toMatch(/^ID +CLIENT +SERVER +STATE +AGE +TO SERVER +TO CLIENT$/);
    expect(line).toMatch(/^7 +192\.0\.2\.7:50988 +\[2001:db8::1\]:443 +relay +1 m 5 s +700 B +1\.5 MB$/);
  });

  it('tells what was seen, where somebody looked', () => {
    const seen = { protocol: 'tls', sni: 'www.example.com', alpn: ['h2', 'http/1.1'] } as const;
    const looked = { ...flow, seen: { ...seen, alpn: [...seen.alpn] } };
    const [head, line, other] = formatFlows([looked, flow], new Date()).split('\n');
    expect(head).toMatch(/TO CLIENT {2}SEEN$/);
    expect(line).toMatch(/ {2}tls, sni www\.example\.com, alpn h2 http\/1\.1$/);
    expect(other).toMatch(/1\.5 MB$/);
  });

  it('says so when there is none', () => {
    expect(formatFlows([], new Date())).toBe('no flow is taken now\n');
  });
});

describe('small formats', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [999_949, '999.9 kB'],
    [999_950, '1.0 MB'],
    [1e18, '1000.0 PB'],
  ])('%d bytes are %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [-5, '0.0 s'],
    [412, '0.4 s'],
    [59_999, '59 s'],
    [185_000, '3 m 5 s'],
    [7_800_000, '2 h 10 m'],
  ])('%d ms are %s', (milliseconds, text) => expect(formatAge(milliseconds)).toBe(text));

  it('pads to the widest cell and leaves no trailing blanks', () => {
    expect(
      table(
        [
          ['a', '1', ''],
          ['bbb', '22', 'x'],
        ],
        [false, true],
      ),
    ).toBe('a     1\nbbb  22  x\n');
  });
});
