/**
 * The kernel program, packet by packet, in the kernel (BPF_PROG_TEST_RUN): what it forwards, what it holds, what it
 * counts. For packets that no ordinary program sends.
 */
import koffi from 'koffi';
import { beforeAll, describe, expect, it } from 'vitest';
import { Config, kernelCounters, MAX_RULES, RULE_BYTES } from '../../src/engine/layout.js';
import { BpfObject, mapUpdate, sumPerCpu } from '../../src/kernel/bpf.js';
import { mmapShared } from '../../src/kernel/ffi.js';
import { parseAddress } from '../../src/wire/address.js';
import { buildTcpSegment } from '../../src/wire/segment.js';
import { Flag } from '../../src/wire/view.js';

const OK = 0;
const HELD = 7; // TC_ACT_REDIRECT
const PORT = 80;

const runOptions = koffi.struct('bpf_test_run_opts', {
  sz: 'size_t',
  data_in: 'void *',
  data_out: 'void *',
  data_size_in: 'uint32_t',
  data_size_out: 'uint32_t',
  ctx_in: 'void *',
  ctx_out: 'void *',
  ctx_size_in: 'uint32_t',
  ctx_size_out: 'uint32_t',
  retval: 'uint32_t',
  repeat: 'int',
  duration: 'uint32_t',
  flags: 'uint32_t',
  cpu: 'uint32_t',
  batch_size: 'uint32_t',
});
const testRun = koffi
  .load('libbpf.so.1')
  .func('bpf_prog_test_run_opts', 'int', ['int', koffi.inout(koffi.pointer(runOptions))]);

let object: BpfObject;
let heartbeat: BigUint64Array;

beforeAll(() => {
  object = new BpfObject(new URL('../../dist/bpf/tracker.bpf.o', import.meta.url).pathname);
  const config = mmapShared(object.map('config'), Config.bytes);
  const view = new DataView(config);
  heartbeat = new BigUint64Array(config, Config.heartbeat, 1);
  view.setUint32(Config.tun, 1, true);
  view.setUint32(Config.workers, 1, true);
  view.setUint32(Config.ruleCount, 1, true);
  view.setUint8(Config.ports + (PORT >> 3), 1 << (PORT & 7));
  const rules = new DataView(new ArrayBuffer(RULE_BYTES * MAX_RULES));
  rules.setUint16(64, PORT, true);
  rules.setUint16(66, PORT, true);
  mapUpdate(object.map('rule_banks'), new Uint8Array(4), new Uint8Array(rules.buffer));
});

const DOT1Q = 0x8100;
const DOT1AD = 0x88a8;

/** An Ethernet frame, with 802.1Q tags of these kinds. The TCI would pass for the beginning of an IPv4 header. */
function frameOf(packet: Uint8Array, tags: readonly number[] = []): Uint8Array {
  const u16 = (value: number) => [value >> 8, value & 0xff];
  const type = (packet[0] as number) >> 4 === 4 ? 0x0800 : 0x86dd;
  const tagged = tags.flatMap((kind) => [...u16(kind), ...u16(0x4578)]);
  return Uint8Array.from([...new Uint8Array(12), ...tagged, ...u16(type), ...packet]);
}

/** Runs one frame through the program of an Ethernet interface; returns the verdict, and the frame as it left it. */
function runFrame(frame: Uint8Array): { verdict: number; left: Uint8Array } {
  const left = new Uint8Array(frame.length + 64);
  heartbeat[0] = process.hrtime.bigint();
  const options = {
    sz: koffi.sizeof(runOptions),
    data_in: frame,
    data_out: left,
    data_size_in: frame.length,
    data_size_out: left.length,
    ctx_in: null,
    ctx_out: null,
    ctx_size_in: 0,
    ctx_size_out: 0,
    retval: 0,
    repeat: 1,
    duration: 0,
    flags: 0,
    cpu: 0,
    batch_size: 0,
  };
  expect(testRun(object.program('track_ethernet'), options)).toBe(0);
  return { verdict: options.retval, left: left.slice(0, options.data_size_out) };
}

const run = (packet: Uint8Array): number => runFrame(frameOf(packet)).verdict;

function counted<T>(action: () => T): { counts: Record<string, number>; result: T } {
  const read = () => kernelCounters.map((_, i) => sumPerCpu(object.map('counters'), i));
  const before = read();
  const result = action();
  const after = read();
  const counts: Record<string, number> = {};
  kernelCounters.forEach((name, i) => {
    const n = (after[i] as number) - (before[i] as number);
    if (n) counts[name] = n;
  });
  return { counts, result };
}

let nextPort = 20_000;

/** A connection whose packets are changed by `wrap` on their way: IP options, extension headers. */
function conversation(
  version: 4 | 6,
  wrap: (packet: Uint8Array) => Uint8Array = (packet) => packet,
  send: (packet: Uint8Array) => number = run,
) {
  const port = nextPort++;
  const text = version === 4 ? ['192.0.2.2', '198.51.100.2'] : ['2001:db8:1::2', '2001:db8:2::2'];
  const [client, server] = text.map((t) => parseAddress(t)) as [Uint8Array, Uint8Array];
  const segment = (from: 'client' | 'server', flags: number, seq: number, ack: number, more: object = {}) =>
    send(
      wrap(
        buildTcpSegment({
          src: from === 'client' ? client : server,
          dst: from === 'client' ? server : client,
          sourcePort: from === 'client' ? port : PORT,
          destinationPort: from === 'client' ? PORT : port,
          seq,
          ack,
          flags,
          window: 1000,
          ttl: 64,
          tos: 0,
          options: flags & Flag.SYN ? { mss: 1460, sackPermitted: true } : {},
          ...more,
        }),
      ),
    );
  return {
    segment,
    syn: (more?: object) => segment('client', Flag.SYN, 1000, 0, more),
    synAck: (more?: object) => segment('server', Flag.SYN | Flag.ACK, 5000, 1001, more),
    ack: () => segment('client', Flag.ACK, 1001, 5001),
    data: (ack = 5001) => segment('client', Flag.ACK | Flag.PSH, 1001, ack, { payload: new Uint8Array(10) }),
    shake() {
      return [this.syn(), this.synAck(), this.ack()];
    },
  };
}

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
      sourcePort: nextPort++,
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
