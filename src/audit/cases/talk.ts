/** What many cases begin with: two ends without a kernel shake hands, and data goes over. */
import { optionTexts } from '../../timeline/options.js';
import type { SegmentOptions } from '../../wire/segment.js';
import { NotTested } from '../case.js';
import type { RawConnection } from '../raw-connection.js';
import { flagsOf, type RawSegment, type RawSend } from '../raw-segment.js';
import type { Stage } from '../stage.js';

export interface Opening {
  syn?: RawSend & { letters?: string };
  synAck?: RawSend & { letters?: string };
}

/** As Linux sends them. */
export const usual: SegmentOptions = { mss: 1460, sackPermitted: true, windowScale: 7 };

export interface Talk {
  c: RawConnection;
  s: RawConnection;
  /** As it came to the server; undefined: none came. */
  syn: RawSegment | undefined;
  /** As it came to the client. */
  synAck: RawSegment | undefined;
}

/**
 * Each end answers as soon as it hears: a box that answers the SYN itself and only then asks the server gets as far as one that
 * forwards.
 */
export async function shakeHands(stage: Stage, { syn = {}, synAck = {} }: Opening = {}): Promise<Talk> {
  const s = await stage.rawServer();
  const c = await stage.rawClient();
  const server = async () => {
    const came = await s.hears();
    if (came) await s.send(synAck.letters ?? 'S.', { options: usual, ...synAck });
    return came;
  };
  const client = async () => {
    await c.send(syn.letters ?? 'S', { options: usual, ...syn });
    const came = await c.hears();
    if (came && came.flags & flagsOf('S')) await c.send('.');
    return came;
  };
  const [first, second] = await Promise.all([server(), client()]);
  if (first) await s.hears(500);
  return { c, s, syn: first, synAck: second };
}

/** The same, where the case is about what comes later. */
export async function connectedTalk(stage: Stage, opening: Opening = {}): Promise<Talk & Required<Talk>> {
  const talk = await shakeHands(stage, opening);
  if (!talk.syn || !talk.synAck || !(talk.synAck.flags & flagsOf('S'))) {
    throw new NotTested('no handshake came about', {
      client: segmentText(talk.synAck),
      server: segmentText(talk.syn),
    });
  }
  return talk;
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
