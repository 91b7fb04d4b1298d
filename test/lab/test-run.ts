/** The kernel program, packet by packet, in the kernel (BPF_PROG_TEST_RUN): for packets that no ordinary program sends. */
import { beforeAll } from 'vitest';
import { Config, kernelCounters, MAX_RULES, RULE_BYTES } from '../../src/engine/layout.js';
import { BpfObject, mapUpdate, runProgram, sumPerCpu } from '../../src/kernel/bpf.js';
import { mmapShared } from '../../src/kernel/ffi.js';
import { parseAddress } from '../../src/wire/address.js';
import { buildTcpSegment } from '../../src/wire/segment.js';
import { Flag } from '../../src/wire/view.js';

export const OK = 0;
export const HELD = 7; // TC_ACT_REDIRECT
export const PORT = 80;

export let object: BpfObject;
let heartbeat: BigUint64Array;

/** To be called at the top of a test file: loads the program with one rule, for PORT. */
export function useProgram(): void {
  beforeAll(() => {
    object = new BpfObject(new URL('../../dist/bpf/tracker.bpf.o', import.meta.url).pathname);
    const config = mmapShared(object.map('config'), Config.bytes);
    const view = new DataView(config);
    heartbeat = new BigUint64Array(config, Config.heartbeat, 1);
    view.setUint32(Config.tun, 1, true);
    view.setUint32(Config.workers, 1, true);
    view.setUint32(Config.ruleCount, 1, true);
    view.setUint8(Config.ports + (PORT >> 3), 1 << (PORT & 7));
    setRule();
  });
}

/** What the rule does with SYNs besides selecting them. */
export function setRule(settings = 0): void {
  const rules = new DataView(new ArrayBuffer(RULE_BYTES * MAX_RULES));
  rules.setUint16(64, PORT, true);
  rules.setUint16(66, PORT, true);
  rules.setUint8(70, settings);
  mapUpdate(object.map('rule_banks'), new Uint8Array(4), new Uint8Array(rules.buffer));
}

export const DOT1Q = 0x8100;
export const DOT1AD = 0x88a8;

/** An Ethernet frame, with 802.1Q tags of these kinds. The TCI would pass for the beginning of an IPv4 header. */
export function frameOf(packet: Uint8Array, tags: readonly number[] = []): Uint8Array {
  const u16 = (value: number) => [value >> 8, value & 0xff];
  const type = (packet[0] as number) >> 4 === 4 ? 0x0800 : 0x86dd;
  const tagged = tags.flatMap((kind) => [...u16(kind), ...u16(0x4578)]);
  return Uint8Array.from([...new Uint8Array(12), ...tagged, ...u16(type), ...packet]);
}

/** Runs one frame through the program of an Ethernet interface; returns the verdict, and the frame as it left it. */
export function runFrame(frame: Uint8Array): { verdict: number; left: Uint8Array } {
  const left = new Uint8Array(frame.length + 64);
  heartbeat[0] = process.hrtime.bigint();
  const { verdict, length } = runProgram(object.program('track_ethernet'), frame, left);
  return { verdict, left: left.slice(0, length) };
}

export const run = (packet: Uint8Array): number => runFrame(frameOf(packet)).verdict;

export function counted<T>(action: () => T): { counts: Record<string, number>; result: T } {
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
export const freshPort = (): number => nextPort++;

/** A connection whose packets are changed by `wrap` on their way: IP options, extension headers. */
export function conversation(
  version: 4 | 6,
  wrap: (packet: Uint8Array) => Uint8Array = (packet) => packet,
  send: (packet: Uint8Array) => number = run,
) {
  const port = freshPort();
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
