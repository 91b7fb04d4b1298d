/** Raw packets and captures of one end: what no ordinary socket can do, and what needs privileges. */
import { type Captured, captureSocket, nextCaptured } from '../kernel/capture.js';
import { rawIpSocket, sendIp } from '../kernel/raw_ip.js';
import { close } from '../kernel/socket.js';
import { packetOf } from '../timeline/packet.js';
import { LinkType } from '../timeline/pcap.js';
import type { Side } from './socket.js';

/** One packet of a conversation, as it goes over the control connection: the beginning, and its whole length. */
export interface Tapped {
  /** Microseconds since the epoch. */
  time: number;
  outgoing: boolean;
  gsoSize: number;
  length: number;
  hex: string;
}

export interface Ports {
  first: number;
  last: number;
}

const snapshot = 200;
/** Of each port. A case that moves bulk needs its beginning. */
const mostKept = 3000;
const mostInATurn = 500;

/** Since the epoch, as captured packets are stamped. */
export const microseconds = (): number => Math.round((performance.timeOrigin + performance.now()) * 1000);

export type PacketListener = (packet: Uint8Array, captured: Captured, port: number) => void;

export class Wiretap {
  readonly #fd: number;
  readonly #raw: Record<4 | 6, number>;
  readonly #kept = new Map<number, Tapped[]>();
  #timer: NodeJS.Timeout | undefined;
  onPacket: PacketListener = () => {};

  private constructor(
    readonly side: Side,
    readonly ports: Ports,
  ) {
    this.#fd = captureSocket();
    this.#raw = { 4: rawIpSocket(4), 6: rawIpSocket(6) };
    this.#turn();
  }

  /** Null, and why, where the kernel does not let us. */
  static open(side: Side, ports: Ports): { tap: Wiretap | null; why: string } {
    try {
      return { tap: new Wiretap(side, ports), why: '' };
    } catch (error) {
      return { tap: null, why: error instanceof Error ? error.message : String(error) };
    }
  }

  send(packet: Uint8Array): void {
    sendIp(this.#raw[(packet[0] as number) >> 4 === 6 ? 6 : 4], packet);
  }

  /** What has passed from or to this port of the server so far. */
  packets(port: number): Tapped[] {
    this.#read(mostInATurn);
    return this.#kept.get(port) ?? [];
  }

  forget(port: number): void {
    this.#kept.delete(port);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const fd of [this.#fd, this.#raw[4], this.#raw[6]]) close(fd);
  }

  #turn(): void {
    const more = this.#read(mostInATurn);
    this.#timer = setTimeout(() => this.#turn(), more ? 0 : 1);
  }

  #read(most: number): boolean {
    for (let i = 0; i < most; i++) {
      const captured = nextCaptured(this.#fd);
      if (!captured) return false;
      this.#hear(captured);
    }
    return true;
  }

  #hear(captured: Captured): void {
    const { packet, time, outgoing, gsoSize } = captured;
    const port = this.#portOf(packet, time, outgoing);
    if (port === null) return;
    let kept = this.#kept.get(port);
    if (!kept) {
      kept = [];
      this.#kept.set(port, kept);
    }
    if (kept.length < mostKept) {
      const hex = Buffer.from(packet.subarray(0, snapshot)).toString('hex');
      kept.push({ time, outgoing, gsoSize, length: packet.length, hex });
    }
    if (!outgoing) this.onPacket(packet, captured, port);
  }

  /**
   * The server's port in it: of the segment, or of the one that an ICMP error quotes. The client's may lie in the same range, and
   * which is which follows from the direction; on the loopback everything comes in.
   */
  #portOf(bytes: Uint8Array, time: number, outgoing: boolean): number | null {
    const packet = packetOf({ time, bytes, length: bytes.length }, LinkType.raw);
    if (!packet) return null;
    const { content } = packet;
    const ours = (port: number) => port >= this.ports.first && port <= this.ports.last;
    const pick = (first: number, second: number) => (ours(first) ? first : ours(second) ? second : null);
    if (content.kind !== 'tcp' && content.kind !== 'icmp') return null;
    // An error goes the other way than what it quotes.
    const toServer = (this.side === 'client') === (content.kind === 'tcp' ? outgoing : !outgoing);
    const { sourcePort, destinationPort } = content.kind === 'tcp' ? content : content.quoted;
    return toServer ? pick(destinationPort, sourcePort) : pick(sourcePort, destinationPort);
  }
}
