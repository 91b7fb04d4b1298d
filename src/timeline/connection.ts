/** Which packets of a capture belong together. */
import { seqDistance } from '../wire/seq.js';
import { tcpFlags } from '../wire/tcp.js';
import type { IcmpError, Packet, Segment } from './packet.js';

/** From client to server, and from server to client. */
export type Direction = '>' | '<';

export interface ConnectionPacket {
  direction: Direction;
  packet: Packet;
  content: Segment | IcmpError;
}

export interface Connection {
  client: string;
  clientPort: number;
  server: string;
  serverPort: number;
  packets: ConnectionPacket[];
}

/**
 * The connections to `serverPort`, in the order of their first packets. A SYN that reuses the addresses and ports of a
 * connection that has ended begins a new one. An ICMP error belongs to the connection that it quotes; its direction is the way that
 * the message itself goes.
 */
export function connectionsTo(serverPort: number, packets: Iterable<Packet>): Connection[] {
  const all: Connection[] = [];
  const current = new Map<string, { connection: Connection; isn: number | null; ended: boolean }>();

  for (const packet of packets) {
    const way = wayOf(packet, serverPort);
    if (!way) continue;
    const { client, clientPort, server, direction, content } = way;
    const key = `${client} ${clientPort} ${server}`;
    let entry = current.get(key);
    const opening = content.kind === 'tcp' && isOpening(content) && direction === '>' ? content.seq : null;
    const reused = entry?.ended && opening !== null && opening !== entry.isn;
    if (!entry || reused) {
      const connection = { client, clientPort, server, serverPort, packets: [] };
      entry = { connection, isn: opening, ended: false };
      all.push(connection);
      current.set(key, entry);
    }
    if (content.kind === 'tcp' && content.flags & (tcpFlags.fin | tcpFlags.rst)) entry.ended = true;
    entry.connection.packets.push({ direction, packet, content });
  }
  return all;
}

function isOpening({ flags }: Segment): boolean {
  return (flags & (tcpFlags.syn | tcpFlags.ack)) === tcpFlags.syn;
}

interface Way {
  client: string;
  clientPort: number;
  server: string;
  direction: Direction;
  content: Segment | IcmpError;
}

function wayOf(packet: Packet, serverPort: number): Way | null {
  const { content, source, destination } = packet;
  if (content.kind === 'tcp') {
    const { sourcePort, destinationPort } = content;
    if (destinationPort === serverPort) {
      return { client: source, clientPort: sourcePort, server: destination, direction: '>', content };
    }
    if (sourcePort !== serverPort) return null;
    return { client: destination, clientPort: destinationPort, server: source, direction: '<', content };
  }
  if (content.kind !== 'icmp') return null;
  const { quoted } = content;
  // It goes to who sent what it quotes.
  if (quoted.destinationPort === serverPort) {
    const { source: client, sourcePort: clientPort, destination: server } = quoted;
    return { client, clientPort, server, direction: '<', content };
  }
  if (quoted.sourcePort !== serverPort) return null;
  const { destination: client, destinationPort: clientPort, source: server } = quoted;
  return { client, clientPort, server, direction: '>', content };
}

/** How far `seq` is behind `start`; a connection of less than 2 GiB. */
export function relative(seq: number, start: number): number {
  return seqDistance(seq, start);
}
