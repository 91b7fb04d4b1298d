/** The same short talk for scenarios that are about how a connection opens: data both ways, then both ends close. */

import type { RawSend } from '../../../src/audit/raw-segment.js';
import type { SegmentOptions } from '../../../src/wire/segment.js';
import type { Ends } from './scenario.js';

export interface Opening {
  /** Of the raw end's SYN or SYN-ACK. */
  options?: SegmentOptions;
  /** Of every segment of the raw end. */
  send?: RawSend;
  /** The raw end's clock: timestamps on every segment. */
  clock?: number;
  /** No segment that the raw end gets carries more. */
  longest?: number;
  /** How much the other end sends. */
  bytes?: number;
}

/** RFC 9293 MUST-15: what an end that names no MSS accepts. */
export const defaultMss = (family: 4 | 6): number => (family === 4 ? 536 : 1220);

/** Every option in its most usual form. */
export const usual: SegmentOptions = { mss: 1460, sackPermitted: true, windowScale: 7 };

export async function rawClientTalks(ends: Ends, opening: Opening): Promise<void> {
  const { rawClient, server, check } = ends;
  const { send, clock, longest, bytes = 3000 } = opening;
  const listener = await server.listen();
  const c = await rawClient.connection();
  if (clock !== undefined) c.useTimestamps(clock);
  await c.open(opening.options ?? {}, send);
  const s = await listener.accept();
  await c.send('P.', { ...send, length: 100 });
  await s.receive(100);
  await Promise.all([s.send(bytes), c.receive(1 + bytes, send)]);
  if (longest !== undefined) check(`no segment carries more than ${longest}`, c.largest <= longest);
  await c.send('P.', { ...send, length: 200 });
  await s.receive(200);
  await s.close();
  await c.expect('F.');
  await c.send('F.', send);
  await c.expect('.', { end: bytes + 2 });
}

export async function rawServerTalks(ends: Ends, opening: Opening): Promise<void> {
  const { rawServer, client, check } = ends;
  const { send, clock, longest, bytes = 3000 } = opening;
  const s = await rawServer.connection();
  if (clock !== undefined) s.useTimestamps(clock);
  const connecting = client.connect({ to: 'raw' });
  await s.open(opening.options ?? {}, send);
  const c = await connecting;
  await Promise.all([c.send(bytes), s.receive(1 + bytes, send)]);
  if (longest !== undefined) check(`no segment carries more than ${longest}`, s.largest <= longest);
  await s.send('P.', { ...send, length: 100 });
  await c.receive(100);
  await c.close();
  await s.expect('F.');
  await s.send('F.', send);
  await s.expect('.', { end: bytes + 2 });
}

/** Neither end has a kernel: nobody minds what an option means. `syn` and `synAck` are what the raw ends open with. */
export async function rawEndsTalk(
  { rawClient, rawServer }: Ends,
  syn: { letters?: string; options?: SegmentOptions },
  synAck: { letters?: string; options?: SegmentOptions },
): Promise<void> {
  const s = await rawServer.connection({ with: 'raw' });
  const c = await rawClient.connection({ with: 'raw' });
  await c.send(syn.letters ?? 'S', { options: syn.options });
  await s.hears();
  await s.send(synAck.letters ?? 'S.', { options: synAck.options });
  await c.hears();
  await c.send('.');
  await s.expect('.');
  await c.send('P.', { length: 300 });
  await s.receive(301);
  await s.send('P.', { length: 200 });
  await c.receive(201);
  await c.send('F.');
  await s.expect('F.');
  await s.send('F.');
  await c.expect('F.');
  await c.send('.');
  await s.expect('.');
}
