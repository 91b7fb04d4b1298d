import { describe, expect, it } from 'vitest';
import { parseAddress } from '../wire/address.js';
import { buildTcpSegment, type SegmentInput } from '../wire/segment.js';
import { tcpFlags } from '../wire/tcp.js';
import { compareTimelines } from './compare.js';
import { connectionsTo } from './connection.js';
import { type Packet, packetOf } from './packet.js';
import { LinkType } from './pcap.js';
import { renderSideBySide, describe as tell } from './render.js';
import { LabelNames, type Timeline, timelineOf } from './timeline.js';

const { ack: ACK, fin: FIN, rst: RST, syn: SYN, urg: URG } = tcpFlags;
const addresses = {
  4: { client: '192.0.2.2', server: '198.51.100.2' },
  6: { client: '2001:db8:1::2', server: '2001:db8:2::2' },
} as const;

/** A capture, told as `>` or `<`, flags, relative numbers and what is unusual. */
class Story {
  readonly packets: Packet[] = [];
  #time = 0;
  readonly isn = { '>': 4_294_967_290, '<': 1000 };

  constructor(readonly family: 4 | 6 = 4) {}

  add(
    way: '>' | '<',
    flags: number,
    seq: number,
    ack: number,
    length = 0,
    other: Partial<SegmentInput> = {},
  ): this {
    const { client, server } = addresses[this.family];
    const out = way === '>';
    this.#time += 1000;
    this.raw(
      buildTcpSegment({
        src: parseAddress(out ? client : server) as Uint8Array,
        dst: parseAddress(out ? server : client) as Uint8Array,
        sourcePort: out ? 40_000 : 80,
        destinationPort: out ? 80 : 40_000,
        seq: (this.isn[way] + seq) >>> 0,
        ack: flags & ACK ? (this.isn[out ? '<' : '>'] + ack) >>> 0 : 0,
        flags,
        window: 500,
        ttl: 64,
        tos: 0,
        payload: new Uint8Array(length),
        ...other,
      }),
    );
    return this;
  }

  raw(bytes: Uint8Array): this {
    const packet = packetOf({ time: this.#time, bytes, length: bytes.length }, LinkType.raw);
    if (!packet) throw new Error('the test made a packet that cannot be read');
    this.packets.push(packet);
    return this;
  }

  handshake(options: SegmentInput['options'] = { mss: 1460 }): this {
    return this.add('>', SYN, 0, 0, 0, { options })
      .add('<', SYN | ACK, 0, 1, 0, { options })
      .add('>', ACK, 1, 1, 0, options?.tsval === undefined ? {} : { options: { tsval: 5, tsecr: 5 } });
  }

  timelines(): Timeline[] {
    const labels = new LabelNames();
    return connectionsTo(80, this.packets).map((connection) => timelineOf(connection, labels));
  }

  timeline(): Timeline {
    return this.timelines()[0] as Timeline;
  }

  told(): string[] {
    return this.timeline().events.map(tell);
  }
}

const differ = (left: Story, right: Story) =>
  compareTimelines(left.timeline(), right.timeline()).map(({ name, direction }) => `${name} ${direction}`);

describe('timelineOf', () => {
  it('counts from the start, across the wrap of sequence numbers', () => {
    const story = new Story().handshake().add('>', ACK, 1, 1, 100).add('<', ACK, 1, 101);
    expect(story.told()).toEqual([
      '> SYN win 500 <mss 1460>  [ttl 64 DF]',
      '< SYN ACK ack 1 win 500 <mss 1460>  [ttl 64 DF]',
      '> ack 1  [ttl 64 DF]',
      '> data 1:101 ack 1  [ttl 64 DF]',
      '< ack 101  [ttl 64 DF]',
    ]);
  });

  it('makes one event of a run, however it was cut and acknowledged', () => {
    const story = new Story().handshake();
    for (let seq = 1; seq < 1001; seq += 100) story.add('>', ACK, seq, 1, 100).add('<', ACK, 1, seq + 100);
    expect(story.told().slice(3)).toEqual([
      '> data 1:1001 ack 1 (10 packets)  [ttl 64 DF]',
      '< ack 1001 (10 packets)  [ttl 64 DF]',
    ]);
  });

  it('tells data that fills a hole from data that comes again', () => {
    const story = new Story()
      .handshake()
      .add('>', ACK, 101, 1, 100)
      .add('>', ACK, 1, 1, 100)
      .add('>', ACK, 101, 1, 50);
    expect(
      story
        .timeline()
        .events.slice(3)
        .map(({ kind }) => kind),
    ).toEqual(['data', 'data', 'again']);
  });

  it('separates FIN from the data that it rides on', () => {
    const story = new Story()
      .handshake()
      .add('>', FIN | ACK, 1, 1, 10)
      .add('<', ACK, 1, 12);
    expect(story.told().slice(3, 5)).toEqual([
      '> data 1:11 ack 1  [ttl 64 DF]',
      '> FIN 11 ack 1  [ttl 64 DF]',
    ]);
  });

  it('marks timestamps that no sender would send', () => {
    const story = new Story()
      .handshake({ mss: 1460, tsval: 5, tsecr: 0 })
      .add('>', ACK, 1, 1, 10, { options: { tsval: 4, tsecr: 5 } })
      .add('>', ACK, 11, 1, 10, { options: { tsval: 1000, tsecr: 5 } })
      .add('>', ACK, 21, 1, 10, { options: { tsval: 1001, tsecr: 77 } });
    expect(
      story
        .timeline()
        .events.map(({ notes }) => notes)
        .slice(3),
    ).toEqual([['TSval goes back', 'TSval runs ahead of the clock', 'TSecr echoes what was not sent']]);
  });

  it('marks a segment that is longer than the receiver allows, also by default', () => {
    const story = new Story().handshake({}).add('>', ACK, 1, 1, 537);
    expect(
      story
        .timeline()
        .events.slice(3)
        .map(({ notes }) => notes),
    ).toEqual([['longer than the MSS of the receiver']]);
    const six = new Story(6).handshake({}).add('>', ACK, 1, 1, 1220);
    expect(six.timeline().events.at(-1)?.notes).toEqual([]);
  });

  it('splits connections that use the same ports one after the other', () => {
    const story = new Story().handshake().add('>', RST | ACK, 1, 1);
    story.isn['>'] = 77;
    expect(
      story
        .handshake()
        .timelines()
        .map(({ events }) => events.length),
    ).toEqual([4, 3]);
  });

  it('tells a SYN that comes again from one that says something else', () => {
    const story = new Story()
      .add('>', SYN, 0, 0, 0, { options: { mss: 1460 } })
      .add('>', SYN, 0, 0, 0, { options: { mss: 1460 } })
      .add('>', SYN, 0, 0, 0, { options: { mss: 536 } })
      .add('>', SYN, 7, 0, 0, { options: { mss: 536 } });
    expect(story.timeline().events.map(({ kind }) => kind)).toEqual(['syn', 'again', 'syn', 'syn']);
  });

  it('lets timestamps be out of order only on a path that changes the order', () => {
    const options = (tsval: number) => ({ options: { tsval, tsecr: 0 } });
    const story = new Story().add('>', SYN, 0, 0, 0, options(500)).add('>', ACK, 1, 1, 100, options(300));
    const notes = (disorderMs: number) => {
      const [connection] = connectionsTo(80, story.packets);
      if (!connection) throw new Error('no connection');
      const { events } = timelineOf(connection, new LabelNames(), { disorderMs });
      return events.flatMap((event) => event.notes).filter((note) => note === 'TSval goes back').length;
    };
    expect([notes(0), notes(150), notes(500)]).toEqual([1, 1, 0]);
  });

  it('remembers the timestamp of a SYN-ACK that came again', () => {
    const story = new Story()
      .add('>', SYN, 0, 0, 0, { options: { tsval: 1, tsecr: 0 } })
      .add('<', SYN | ACK, 0, 1, 0, { options: { tsval: 5, tsecr: 1 } })
      .add('<', SYN | ACK, 0, 1, 0, { options: { tsval: 1005, tsecr: 1 } })
      .add('<', ACK, 1, 1, 100, { options: { tsval: 7, tsecr: 1 } });
    expect(story.timeline().events.at(-1)?.notes).toEqual(['TSval goes back']);
  });

  /** "Fragmentation needed" about byte `seq` of the client's stream. */
  function tooBig(story: Story, seq: number): Uint8Array {
    const quoted = buildTcpSegment({
      src: parseAddress('192.0.2.2') as Uint8Array,
      dst: parseAddress('198.51.100.2') as Uint8Array,
      sourcePort: 40_000,
      destinationPort: 80,
      seq: (story.isn['>'] + seq) >>> 0,
      ack: 0,
      flags: ACK,
      window: 0,
      ttl: 1,
      tos: 0,
    }).subarray(0, 28);
    const error = new Uint8Array(28 + 28);
    error.set([0x45, 0, 0, 56, 0, 0, 0, 0, 60, 1, 0, 0, 203, 0, 113, 1, 192, 0, 2, 2]);
    error.set([3, 4, 0, 0, 0, 0, 0x05, 0x14], 20);
    error.set(quoted, 28);
    return error;
  }

  it('puts an ICMP error into the connection that it quotes', () => {
    const story = new Story().handshake().add('>', ACK, 1, 1, 100);
    expect(story.raw(tooBig(story, 1)).told().at(-1)).toBe(
      '< ICMP type 3 code 4 mtu 1300 about 1  [from 203.0.113.1 ttl 60]',
    );
  });

  it('asks whether an ICMP error came, and not how often', () => {
    const sent = () => new Story().handshake().add('>', ACK, 1, 1, 100).add('>', ACK, 101, 1, 100);
    const [none, once, twice] = [sent(), sent(), sent()];
    once.raw(tooBig(once, 101));
    twice.raw(tooBig(twice, 1)).raw(tooBig(twice, 101));
    expect(differ(once, twice)).toEqual([]);
    expect(differ(once, none)).toEqual(['icmp.missing <']);
  });
});

describe('compareTimelines', () => {
  it('finds nothing between the same stream cut in two ways', () => {
    const left = new Story().handshake().add('>', ACK, 1, 1, 300).add('<', ACK, 1, 301);
    const right = new Story()
      .handshake()
      .add('>', ACK, 1, 1, 100)
      .add('<', ACK, 1, 101)
      .add('>', ACK, 101, 1, 200)
      .add('<', ACK, 1, 201)
      .add('<', ACK, 1, 301);
    expect(differ(left, right)).toEqual([]);
  });

  it.each<[string, (story: Story) => void, string[]]>([
    ['a TTL', (s) => s.add('>', ACK, 1, 1, 100, { ttl: 63 }), ['data.header >']],
    ['a byte', (s) => s.add('>', ACK, 1, 1, 99), ['data.end >']],
    ['a reset in place of a FIN', (s) => s.add('>', ACK, 1, 1, 100).add('>', RST, 101, 0), ['rst.extra >']],
    ['an urgent mark', (s) => s.add('>', ACK | URG, 1, 1, 100), ['urgent.extra >']],
    [
      'a bare ACK with another TTL',
      (s) => s.add('>', ACK, 1, 1, 100).add('<', ACK, 1, 1, 0, { ttl: 9 }),
      ['ack.header <'],
    ],
    [
      'an acknowledgement that never comes',
      (s) => s.add('>', ACK, 1, 1, 100).add('<', ACK, 1, 101),
      ['ack.last <'],
    ],
    ['a repetition', (s) => s.add('>', ACK, 1, 1, 100).add('>', ACK, 1, 1, 100), ['again.extra >']],
  ])('finds %s', (_, change, names) => {
    const left = new Story().handshake().add('>', ACK, 1, 1, 100);
    const right = new Story().handshake();
    change(right);
    expect(differ(left, right)).toEqual(names);
  });

  it('compares SYN options in their order', () => {
    const left = new Story().handshake({ mss: 1460, sackPermitted: true });
    expect(differ(left, new Story().handshake({ mss: 1400, sackPermitted: true }))).toEqual([
      'syn.detail >',
      'syn.detail <',
    ]);
  });
});

it('marks what differs, side by side', () => {
  const left = new Story()
    .handshake()
    .add('>', FIN | ACK, 1, 1)
    .timeline();
  const right = new Story()
    .handshake()
    .add('>', RST | ACK, 1, 1)
    .timeline();
  const picture = renderSideBySide(left, right, compareTimelines(left, right), ['plain', 'taken']);
  expect(picture).toMatch(/^plain +\| taken$/m);
  expect(picture).toMatch(/^\* .*FIN 1 ack 1/m);
  expect(picture).toMatch(/\| \* .*RST ACK 1/m);
});
