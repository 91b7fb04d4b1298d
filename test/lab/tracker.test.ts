/** What the kernel program forwards, what it holds, what it counts. For packets that no ordinary program sends. */
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/wire/address.js';
import { buildTcpSegment } from '../../src/wire/segment.js';
import { Flag } from '../../src/wire/view.js';
import { withHeaders, withOptions } from './ip-changes.js';
import {
  conversation,
  counted,
  DOT1AD,
  DOT1Q,
  frameOf,
  freshPort,
  HELD,
  OK,
  PORT,
  run,
  runFrame,
  useProgram,
} from './test-run.js';

useProgram();

const wraps: [string, 4 | 6, (packet: Uint8Array) => Uint8Array][] = [
  ['4 bytes of IPv4 options', 4, withOptions(4)],
  ['40 bytes of IPv4 options', 4, withOptions(40)],
  ['a hop-by-hop header', 6, withHeaders(0)],
  ['hop-by-hop, routing and destination headers', 6, withHeaders(0, 43, 60)],
];

describe('the tracker holds the first data', () => {
  it.each([4, 6] as const)('of IPv%s', (version) => {
    const flow = conversation(version);
    const { counts, result } = counted(() => [...flow.shake(), flow.data()]);
    expect(result).toEqual([OK, OK, OK, HELD]);
    expect(counts).toEqual({ seen: 1, completed: 1 });
  });

  it.each(wraps)('behind %s, when the handshake had none', (_what, version, wrap) => {
    let sent = 0;
    const flow = conversation(version, (packet) => (++sent > 2 ? wrap(packet) : packet));
    const { counts, result } = counted(() => [...flow.shake(), flow.data()]);
    expect(result).toEqual([OK, OK, OK, HELD]);
    expect(counts).toEqual({ seen: 1, completed: 1 });
  });

  it('and all that follows, both ways, also when the third ACK was lost', () => {
    const flow = conversation(4);
    flow.syn();
    flow.synAck();
    expect(flow.data()).toBe(HELD);
    expect(flow.segment('server', Flag.ACK, 5001, 1011)).toBe(HELD);
    expect(flow.segment('client', Flag.FIN | Flag.ACK, 1011, 5001)).toBe(HELD);
  });
});

/**
 * Tags that lie in the frame. On receive the kernel moves the outer one into the skb, and a test run lets nobody set it
 * there (convert___skb_to_skb() wants vlan_present to be zero); vlan.test.ts sends such frames over a real link. But the
 * second of two tags goes through the skb here too: bpf_skb_vlan_pop() moves it there.
 */
describe('the tracker looks behind tags in the frame', () => {
  const kinds: [string, number[]][] = [
    ['802.1Q', [DOT1Q]],
    ['802.1ad and 802.1Q', [DOT1AD, DOT1Q]],
    ['802.1Q twice', [DOT1Q, DOT1Q]],
  ];
  for (const version of [4, 6] as const) {
    it.each(kinds)(`and takes them off what it holds: IPv${version} in %s`, (_what, tags) => {
      const sent: Uint8Array[] = [];
      const left: Uint8Array[] = [];
      const flow = conversation(version, undefined, (packet) => {
        const result = runFrame(frameOf(packet, tags));
        sent.push(packet);
        left.push(result.left);
        return result.verdict;
      });
      const { counts, result } = counted(() => [...flow.shake(), flow.data()]);
      expect(result).toEqual([OK, OK, OK, HELD]);
      expect(counts).toEqual({ seen: 1, completed: 1 });
      const wanted = sent.map((packet, i) => frameOf(packet, i < 3 ? tags : []));
      expect(left).toEqual(wanted);
    });
  }

  it('and leaves alone what is deeper, cut off or no IP', () => {
    const send = (tags: number[], cut = Number.POSITIVE_INFINITY) =>
      conversation(4, undefined, (packet) => {
        const frame = frameOf(packet, tags).slice(0, cut);
        const { verdict, left } = runFrame(frame);
        expect(left).toEqual(frame);
        return verdict;
      }).syn();
    const PPPOE = 0x8864;
    for (const tags of [[DOT1Q, DOT1Q, DOT1Q], [PPPOE], [DOT1Q, PPPOE]]) {
      expect(counted(() => send(tags))).toEqual({ result: OK, counts: {} });
    }
    for (let length = 14 + 20; length < 14 + 8 + 40; length++) {
      expect(counted(() => send([DOT1AD, DOT1Q], length))).toEqual({ result: OK, counts: {} });
    }
  });
});

describe('the tracker forwards, and counts once', () => {
  it.each(wraps)('a SYN with %s, which our sockets could not carry on', (_what, version, wrap) => {
    const flow = conversation(version, wrap);
    const { counts, result } = counted(() => [...flow.shake(), flow.data()]);
    expect(result).toEqual([OK, OK, OK, OK]);
    expect(counts).toEqual({ seen: 1, unsupportedOption: 1 });
  });

  it('what was acknowledged and never seen', () => {
    const flow = conversation(4);
    const { counts, result } = counted(() => {
      flow.shake();
      flow.segment('server', Flag.ACK, 5001, 1101);
      return flow.data();
    });
    expect(result).toBe(OK);
    expect(counts).toEqual({ seen: 1, completed: 1, asymmetric: 1 });
  });

  it('a connection that ends without data', () => {
    const flow = conversation(4);
    const { counts } = counted(() => {
      flow.shake();
      flow.segment('client', Flag.FIN | Flag.ACK, 1001, 5001);
      flow.segment('server', Flag.FIN | Flag.ACK, 5001, 1002);
      flow.segment('client', Flag.ACK, 1002, 5002);
    });
    expect(counts).toEqual({ seen: 1, completed: 1, noData: 1 });
  });

  it('a keep-alive with one old byte (not data)', () => {
    const flow = conversation(4);
    flow.shake();
    expect(flow.segment('client', Flag.ACK, 1000, 5001, { payload: new Uint8Array(1) })).toBe(OK);
    expect(flow.data()).toBe(HELD);
  });

  it('a SYN with data', () => {
    const flow = conversation(4);
    expect(counted(() => flow.syn({ payload: new Uint8Array(5) })).counts).toEqual({ seen: 1, dataInSyn: 1 });
  });

  it('a handshake of which only one direction is seen', () => {
    const seenByClient = conversation(4);
    const oneWay = counted(() => {
      seenByClient.syn();
      seenByClient.ack();
      return seenByClient.data();
    });
    expect(oneWay).toEqual({ result: OK, counts: { seen: 1, asymmetric: 1 } });
    const seenByServer = conversation(4);
    const otherWay = counted(() => {
      seenByServer.synAck();
      return seenByServer.segment('server', Flag.ACK | Flag.PSH, 5001, 1001, { payload: new Uint8Array(9) });
    });
    expect(otherWay).toEqual({ result: OK, counts: { asymmetric: 1 } });
  });

  it('both ends opening at once', () => {
    const flow = conversation(4);
    const { counts } = counted(() => {
      flow.syn();
      flow.segment('server', Flag.SYN, 5000, 0);
    });
    expect(counts).toMatchObject({ simultaneousOpen: 1 });
  });

  it('what began before the engine', () => {
    const flow = conversation(4);
    expect(counted(() => [flow.data(), flow.data()])).toEqual({ result: [OK, OK], counts: { midstream: 1 } });
  });

  it('a third ACK that acknowledges something else: forged', () => {
    const flow = conversation(4);
    flow.syn();
    flow.synAck();
    expect(counted(() => flow.data(9999))).toEqual({ result: OK, counts: {} });
  });

  it('fragments', () => {
    const fragment = (packet: Uint8Array) => {
      packet[6] = 0x20;
      return packet;
    };
    expect(counted(() => conversation(4, fragment).syn())).toEqual({ result: OK, counts: {} });
    expect(counted(() => conversation(6, withHeaders(44)).syn())).toEqual({ result: OK, counts: {} });
  });

  it('every cut-off packet, without a count', () => {
    const packet = buildTcpSegment({
      src: parseAddress('192.0.2.2') as Uint8Array,
      dst: parseAddress('198.51.100.2') as Uint8Array,
      sourcePort: freshPort(),
      destinationPort: PORT,
      seq: 1,
      ack: 0,
      flags: Flag.SYN,
      window: 1,
      ttl: 64,
      tos: 0,
    });
    // The kernel itself runs no program on less than an IP header.
    for (let length = 20; length < packet.length; length++) {
      expect(counted(() => run(packet.subarray(0, length)))).toEqual({ result: OK, counts: {} });
    }
  });
});
