/** Timelines as plain values on one clock for both ends: what goes into JSON, and what pictures are drawn from. */
import { tcpFlags } from '../wire/tcp.js';
import type { Connection, Direction } from './connection.js';
import type { Timeline, TimelineEvent } from './timeline.js';

export interface View {
  client: string;
  clientPort: number;
  server: string;
  serverPort: number;
  /** Of the first packet, in microseconds since the epoch, by the clock of the client's end. */
  start: number;
  /** Initial sequence numbers of the client (`>`) and of the server; null where nothing came. */
  isn: Record<Direction, number | null>;
  events: TimelineEvent[];
}

/** What each end has captured, one view for each connection. */
export interface Views {
  client: View[];
  server: View[];
}

/** No picture shows more, and a capture of bulk may be long. */
const mostEvents = 200;

/** @param ahead How far the clock of the capturing end is ahead of that of the client's end, in microseconds. */
export function viewOf({ connection, events }: Timeline, ahead = 0): View {
  const { client, clientPort, server, serverPort, packets } = connection;
  const start = (packets[0]?.packet.time ?? 0) - ahead;
  const isn = { '>': isnOf(connection, '>'), '<': isnOf(connection, '<') };
  return { client, clientPort, server, serverPort, start, isn, events: events.slice(0, mostEvents) };
}

function isnOf({ packets }: Connection, way: Direction): number | null {
  for (const { direction, content } of packets) {
    if (direction !== way || content.kind !== 'tcp') continue;
    return content.flags & tcpFlags.syn ? content.seq : (content.seq - 1) >>> 0;
  }
  return null;
}
