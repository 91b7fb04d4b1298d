/** A picture shows what crossed the box, what the box took in, made or changed, and is the same for the same captures. */
import { describe, expect, it } from 'vitest';
import { meetingsOf } from './crossing.js';
import { picture } from './picture.js';
import type { TimelineEvent } from './timeline.js';
import type { View, Views } from './view.js';

const event = (time: number, direction: '>' | '<', other: Partial<TimelineEvent>): TimelineEvent => ({
  time,
  direction,
  kind: 'data',
  seq: 1,
  end: 101,
  ack: 1,
  flags: 'ACK',
  header: 'ttl 64 DF',
  detail: '',
  label: '',
  window: 500,
  notes: [],
  packets: 1,
  ...other,
});
const syn = (time: number, mss: number) =>
  event(time, '>', {
    kind: 'syn',
    seq: 0,
    end: 1,
    ack: null,
    flags: 'SYN',
    detail: `win 1 <mss ${mss},nop>`,
  });
const view = (start: number, events: TimelineEvent[], other: Partial<View> = {}): View => ({
  client: '192.0.2.2',
  clientPort: 40_000,
  server: '198.51.100.2',
  serverPort: 7410,
  start,
  isn: { '>': 1000, '<': 2000 },
  events,
  ...other,
});
const draw = (views: Views, other: object = {}) => picture(views, { title: 'a case', ...other });
const count = (svg: string, pattern: RegExp) => svg.match(pattern)?.length ?? 0;

const passed: Views = {
  client: [view(0, [syn(0, 1460), event(2000, '>', {})])],
  server: [view(100, [syn(0, 1460), event(2000, '>', {})])],
};

describe('crossings', () => {
  it('pair what one end sent with what the other one got', () => {
    const [meeting] = meetingsOf(passed);
    expect(meeting?.crossings.map(({ sent, received }) => [sent?.time, received?.time])).toEqual([
      [0, 100],
      [2000, 2100],
    ]);
  });

  it('do not pair what was received before it was sent', () => {
    const ack = (time: number) => event(time, '<', { kind: 'ack', seq: 1, end: 1, ack: 101 });
    const views = { client: [view(0, [ack(5000)])], server: [view(0, [ack(90_000)])] };
    expect(meetingsOf(views)[0]?.crossings.map(({ sent }) => sent?.end ?? 'nobody')).toEqual([
      'nobody',
      'server',
    ]);
  });

  it('find a connection whose port was changed, and leave one that nobody else saw alone', () => {
    const second = { serverPort: 7411 };
    const views = {
      client: [view(0, [syn(0, 1)]), view(0, [syn(0, 1)], second)],
      server: [view(0, [syn(0, 1)], { clientPort: 600 })],
    };
    expect(meetingsOf(views).map(({ client, server }) => [client?.serverPort, server?.clientPort])).toEqual([
      [7410, 600],
      [7411, undefined],
    ]);
  });
});

describe('a picture', () => {
  it('has an arrow across the box for what both ends have seen', () => {
    const svg = draw(passed);
    expect(count(svg, /class="a"/g)).toBe(2);
    expect(count(svg, /class="o" d/g)).toBe(0);
    expect(svg).toContain('>SYN mss 1460</text>');
    expect(svg).toContain('>data 1:101</text>');
  });

  it('marks what was changed, with both texts', () => {
    const svg = draw({ client: [view(0, [syn(0, 1460)])], server: [view(0, [syn(100, 1200)])] });
    expect(count(svg, /<circle/g)).toBe(1);
    expect(svg).toContain('>SYN mss 1460</text>');
    expect(svg).toContain('>SYN mss 1200</text>');
  });

  it('takes an ICMP error for the same, whatever number its quote has there', () => {
    const icmp = (seq: number) =>
      event(0, '<', { kind: 'icmp', seq, end: seq, detail: 'type 3 code 4 mtu 1300' });
    const views = {
      client: [view(10, [icmp(7)])],
      server: [view(0, [icmp(51)], { isn: { '>': 5, '<': 6 } })],
    };
    expect(count(draw(views), /class="a" d/g)).toBe(1);
  });

  it('breaks at the box what has other sequence numbers behind it', () => {
    const views = {
      client: passed.client,
      server: [view(0, [syn(100, 1460)], { isn: { '>': 7, '<': 2000 } })],
    };
    const svg = draw(views);
    expect(svg).toMatch(/class="o" d="M66 44L400 \d+(\.5)?L734/);
    expect(count(svg, /class="a" d/g)).toBe(0);
  });

  it('ends at the box what only its sender saw, and begins there what only its receiver saw', () => {
    const rst = event(100, '<', { kind: 'rst' });
    const svg = draw({ client: [view(0, [syn(0, 1460), rst])], server: [] });
    expect(svg).toContain('d="M66 44H400M400');
    expect(svg).toMatch(/d="M400 \d+H66M66/);
    expect(svg).toContain('saw nothing of it');
    expect(svg).toMatch(/class="r"[^>]*>RST</);
  });

  it('shows headers where they matter; a hop less is no change', () => {
    const views = {
      client: [view(0, [event(0, '>', { header: 'ttl 64 dscp 10 DF' })])],
      server: [view(0, [event(10, '>', { header: 'ttl 63 dscp 10 DF' })])],
    };
    const svg = draw(views, { headers: true });
    expect(svg).toContain('ttl 63 dscp 10 DF');
    expect(count(svg, /<circle/g)).toBe(0);
    expect(draw(views)).not.toContain('ttl');
  });

  it('is the same for the same captures, has no script and escapes what was captured', () => {
    const views = { client: [view(0, [event(0, '>', { notes: ['<b>'] })])], server: [] };
    expect(draw(views)).toBe(draw(structuredClone(views)));
    expect(draw(views)).toContain('! &lt;b&gt;');
    expect(draw(views)).not.toMatch(/<script|href|<b>/);
    expect(draw(views)).toContain('prefers-color-scheme:dark');
  });

  it('stays small, and says what it leaves out', () => {
    const many = Array.from({ length: 150 }, (_, i) =>
      event(i * 1000, '>', {
        seq: i * 100 + 1,
        end: i * 100 + 101,
        notes: ['longer than the MSS of the receiver'],
      }),
    );
    const svg = draw({
      client: [view(0, many)],
      server: [
        view(
          0,
          many.map((each) => ({ ...each, header: 'ecn 3' })),
        ),
      ],
    });
    expect(svg.length).toBeLessThan(20_000);
    expect(svg).toContain('and 110 more');
  });

  it('says so when nothing was captured', () => {
    expect(draw({ client: [], server: [] })).toContain('nothing was captured');
  });
});
