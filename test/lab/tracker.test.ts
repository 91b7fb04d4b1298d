/** What the kernel program forwards, what it holds, what it counts. For packets that no ordinary program sends. */
import { describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/wire/address.js';
import { buildTcpSegment } from '../../src/wire/segment.js';
import { Flag } from '../../src/wire/view.js';
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

/** Puts so many bytes of NOP options (RFC 791 section 3.1) behind the IPv4 header. */
const withOptions = (bytes: number) => (packet: Uint8Array) => {
  const out = new Uint8Array(packet.length + bytes);
  out.set(packet.subarray(0, 20));
  out.fill(1, 20, 20 + bytes);
  out.set(packet.subarray(20), 20 + bytes);
  out[0] = 0x45 + bytes / 4;
  out[2] = out.length >> 8;
  out[3] = out.length & 0xff;
  return out;
};

/** Puts extension headers of 8 bytes each in front of the TCP header (RFC 8200 section 4). */
const withHeaders =
  (...kinds: number[]) =>
  (packet: Uint8Array) => {
    const extra = kinds.length * 8;
    const out = new Uint8Array(packet.length + extra);
    out.set(packet.subarray(0, 40));
    out.set(packet.subarray(40), 40 + extra);
    out[6] = kinds[0] as number;
    kinds.forEach((_, i) => {
      out[40 + i * 8] = kinds[i + 1] ?? 6;
    });
    const payload = out.length - 40;
    out[4] = payload >> 8;
    out[5] = payload & 0xff;
    return out;
  };

describe('the tracker holds the first data', () => {
  const ways: [string, 4 | 6, ((packet: Uint8Array) => Uint8Array)?][] = [
    ['of IPv4', 4],
    ['of IPv6', 6],
    ['behind 4 bytes of IPv4 options', 4, withOptions(4)],
    ['behind 40 bytes of IPv4 options', 4, withOptions(40)],
    ['behind a hop-by-hop header', 6, withHeaders(0)],
    ['behind hop-by-hop, routing and destination headers', 6, withHeaders(0, 43, 60)],
  ];
  for (const [what, version, wrap] of ways) {
    it(what, () => {
      const flow = conversation(version, wrap);
      const { counts, result } = counted(() => [...flow.shake(), flow.data()]);
      expect(result).toEqual([OK, OK, OK, HELD]);
      expect(counts).toEqual({ seen: 1, completed: 1 });
    });
  }

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
