/** What many cases begin with: two ends without a kernel shake hands, and data goes over. */
import { optionTexts } from '../../timeline/options.js';
import type { SegmentOptions } from '../../wire/segment.js';
import { NotTested } from '../case.js';
import type { RawConnection } from '../raw-connection.js';
import { flagsOf, type RawSegment, type RawSend } from '../raw-segment.js';
import type { Socket } from '../socket.js';
import type { Stage } from '../stage.js';

export interface Opening {
  syn?: RawSend & { letters?: string };
  synAck?: RawSend & { letters?: string };
  /** Of the segment that ends the handshake; default: a bare acknowledgement. */
  third?: RawSend;
  /** Which of the case's ports. */
  at?: number;
  /** Of every packet of the client. */
  change?: (packet: Uint8Array) => Uint8Array;
}

/**
 * MSS, SACK and a window scale of 7, the MSS at an even offset as every stack has it: clamps that compute the checksum anew by
 * words get it wrong at an odd one, which is not what most cases are about.
 */
export const usual: SegmentOptions = { mss: 1460, sackPermitted: true, more: [1, 3, 3, 7] };

export interface Talk {
  c: RawConnection;
  s: RawConnection;
  /** As it came to the server; undefined: none came. */
  syn: RawSegment | undefined;
  /** As it came to the client. */
  synAck: RawSegment | undefined;
  /** Why there is no stream behind the handshake, or ''. */
  trouble: string;
}

/**
 * Each end answers as soon as it hears: a box that answers the SYN itself and only then asks the server gets as far as one that
 * forwards.
 */
export async function shakeHands(
  stage: Stage,
  { syn = {}, synAck = {}, third, at = 0, change }: Opening = {},
): Promise<Talk> {
  const s = await stage.rawServer({ at });
  const c = await stage.rawClient({ at });
  if (change) c.change = change;
  const server = async () => {
    const came = await s.hears();
    if (!came) return { came, trouble: '' };
    const { timestamps } = came.options;
    const said = synAck.options ?? usual;
    // A kernel in between drops what does not echo its own clock, and later what has no timestamps (RFC 7323 section 3.2).
    const echo = timestamps && said.tsval !== undefined ? { tsecr: timestamps.tsval } : {};
    await s.send(synAck.letters ?? 'S.', { ...synAck, options: { ...said, ...echo } });
    if (timestamps && said.tsval !== undefined) s.useTimestamps(said.tsval);
    return { came, trouble: await s.exchange() };
  };
  const client = async () => {
    await c.send(syn.letters ?? 'S', { options: usual, ...syn });
    const came = await c.hears();
    if (!came || !(came.flags & flagsOf('S'))) return { came, trouble: '' };
    const { timestamps } = came.options;
    if (timestamps?.tsecr) c.useTimestamps(timestamps.tsecr);
    await c.send(third ? 'P.' : '.', third);
    return { came, trouble: await c.exchange() };
  };
  const [first, second] = await Promise.all([server(), client()]);
  if (first.came && !stage.wrap) await s.hears(500);
  return { c, s, syn: first.came, synAck: second.came, trouble: first.trouble || second.trouble };
}

/** The same, where the case is about what comes later. */
export async function connectedTalk(stage: Stage, opening: Opening = {}): Promise<ConnectedTalk> {
  const { c, s, syn, synAck, trouble } = await shakeHands(stage, opening);
  if (syn && synAck && synAck.flags & flagsOf('S') && !trouble) return { c, s, syn, synAck, trouble };
  throw new NotTested(trouble || 'no handshake came about', {
    client: segmentText(synAck),
    server: segmentText(syn),
  });
}

export interface ConnectedTalk extends Talk {
  syn: RawSegment;
  synAck: RawSegment;
}

/** An ordinary client and a server by hand. */
export async function rawServerTalk(
  stage: Stage,
  options: SegmentOptions = usual,
  send: RawSend = {},
): Promise<{ c: Socket; s: RawConnection }> {
  const s = await stage.rawServer();
  const [c, opened] = await Promise.all([stage.connect(), s.open(options, send)]);
  if (c.error) throw new NotTested(`no connection came about: ${c.error}`);
  const trouble = opened || (await c.answered());
  if (trouble) throw new NotTested(trouble);
  return { c, s };
}

/** A client by hand and an ordinary server. */
export async function rawClientTalk(
  stage: Stage,
  options: SegmentOptions = usual,
  send: RawSend = {},
): Promise<{ c: RawConnection; s: Socket }> {
  const listener = await stage.listen();
  const c = await stage.rawClient();
  // Together: with an exchange, the client is answered only by a server that has accepted.
  const [trouble, s] = await Promise.all([c.open(options, send), listener.accept()]);
  if (s.error) throw new NotTested(`the server accepted no connection: ${s.error}`);
  if (trouble) throw new NotTested(trouble);
  return { c, s };
}

/** Sends so many bytes, which the other end acknowledges as they come; whether they came. */
export async function deliver(
  from: RawConnection,
  to: RawConnection,
  length: number,
  send: RawSend = {},
): Promise<boolean> {
  const end = from.next + length;
  await from.send('P.', { length, ...send });
  const came = await to.receive(end);
  // The acknowledgement, wherever it is from.
  await from.expect('.', { patienceMs: 500 });
  return came;
}

export function optionsOf({ packet, ip, dataOffset }: RawSegment): string[] {
  return optionTexts(packet, ip.headerLength + 20, ip.headerLength + dataOffset);
}

const letters = ['F', 'S', 'R', 'P', '.', 'U', 'E', 'W', 'A'];

export function flagLetters(flags: number): string {
  return letters.filter((_, bit) => flags & (1 << bit)).join('');
}

export function segmentText(segment: RawSegment | undefined): string {
  if (!segment) return 'nothing';
  const options = optionsOf(segment).join(',');
  const length = segment.payload.length > 0 ? ` ${segment.payload.length} bytes` : '';
  return `${flagLetters(segment.flags)} ttl ${segment.ip.ttl}${length}${options ? ` <${options}>` : ''}`;
}

/** How far behind the start of its sender's numbers: `relativeTo(segment.seq, connection.peerIsn)`. */
export const relativeTo = (seq: number, isn: number | undefined): number => (seq - (isn ?? seq)) | 0;
