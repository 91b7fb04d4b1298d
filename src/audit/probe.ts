/** What can be told of a path from one end alone: a few SYNs to a server that is not ours, and what comes back. */
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import type { Family } from './calls.js';
import { optionsOf, usual } from './cases/talk.js';
import { LocalEnd } from './end.js';
import { AuditError } from './protocol.js';
import { flagsOf, type RawSegment, type RawSend } from './raw-segment.js';
import { pause, Stage } from './stage.js';

export interface ProbeOptions {
  host: string;
  port: number;
  /** A port of the same host on which nobody listens, if the user knows one. */
  closedPort?: number;
}

export type Confidence = 'certain' | 'likely' | 'nothing found';

export interface Clue {
  id: string;
  /** That somebody else than the server answers, or that the path changes something. */
  confidence: Confidence;
  text: string;
}

/** What was seen, for `cluesOf` to judge. */
export interface Observed {
  answer: { ttl: number; mss: number | null; options: string[]; ecn: boolean } | null;
  /** The smallest TTL with which a SYN was answered, and what was tried below the distance that the answer suggests. */
  answeredAt: number | null;
  tried: number[];
  /** Whether a SYN with a wrong checksum was answered by a SYN-ACK. */
  badChecksumAnswered: boolean;
  /** Whether the closed port answered by a SYN-ACK; null: none was named. */
  closedAnswered: boolean | null;
}

/** At most four segments a second go to whoever was named. */
const paceMs = 250;
const answerMs = 1000;
const mostHops = 16;

/** How far away a sender is whose packets come with this TTL: systems begin with 64, 128 or 255. */
export function distanceOf(ttl: number): number {
  return ([64, 128, 255].find((initial) => ttl <= initial) ?? 255) - ttl;
}

export function cluesOf({
  answer,
  answeredAt,
  tried,
  badChecksumAnswered,
  closedAnswered,
}: Observed): Clue[] {
  const clue = (id: string, confidence: Confidence, text: string): Clue => ({ id, confidence, text });
  const closed = [
    closedAnswered === null
      ? []
      : closedAnswered
        ? clue(
            'closed-port-answers',
            'certain',
            'a port on which nobody listens answers by a SYN-ACK: not the server does',
          )
        : clue('closed-port-answers', 'nothing found', 'the closed port does not answer by a SYN-ACK'),
  ].flat();
  if (!answer) return [clue('answer', 'nothing found', 'no SYN-ACK came'), ...closed];
  const distance = distanceOf(answer.ttl);
  const { mss } = answer;
  return [
    ...closed,
    badChecksumAnswered
      ? clue(
          'bad-checksum-answers',
          'certain',
          'a SYN with a wrong checksum is answered: no end does that (RFC 9293 MUST-3)',
        )
      : clue('bad-checksum-answers', 'nothing found', 'a SYN with a wrong checksum is not answered'),
    nearness(distance, answeredAt, tried),
    mss !== null && mss > 9000
      ? clue('odd-mss', 'certain', `the MSS ${mss} is that of no link: a loopback's, of a program on the way`)
      : clue('odd-mss', 'nothing found', `MSS ${mss ?? 'not named'}`),
    clue('options', 'nothing found', `the SYN-ACK says ${answer.options.join(', ') || 'nothing'}`),
    clue(
      'ecn',
      'nothing found',
      answer.ecn ? 'ECN is agreed on' : 'ECN is declined, by the server or on the way',
    ),
  ];
}

function nearness(distance: number, answeredAt: number | null, tried: readonly number[]): Clue {
  const id = 'nearer-than-it-seems';
  if (answeredAt !== null) {
    const text = `a SYN with TTL ${answeredAt} is answered, and the TTL of the answer says ${distance} hops: somebody nearer answers`;
    return { id, confidence: 'likely', text };
  }
  const text =
    tried.length > 0
      ? `${distance} hops away; SYNs with TTL 1 to ${tried.length} are not answered`
      : 'the answer comes from no hop away';
  return { id, confidence: 'nothing found', text };
}

export async function probe({
  host,
  port,
  closedPort,
}: ProbeOptions): Promise<{ address: string; clues: Clue[] }> {
  const { address, family } = await lookup(host).catch((error: NodeJS.ErrnoException) => {
    throw new AuditError('HOST', `looking up ${host}: ${error.code}`, 'name a host or an address');
  });
  const ports = [port, closedPort ?? port];
  const end = new LocalEnd(await ownAddress(address, port), {
    first: Math.min(...ports),
    last: Math.max(...ports),
  });
  try {
    if (end.unprivileged)
      throw new AuditError('ROOT', `sending SYNs by hand: ${end.unprivileged}`, 'run it as root');
    return { address, clues: cluesOf(await observe(end, address, family as Family, port, closedPort)) };
  } finally {
    end.close();
  }
}

async function observe(
  end: LocalEnd,
  target: string,
  family: Family,
  port: number,
  closedPort?: number,
): Promise<Observed> {
  /** One SYN from a port of its own; what answers it. */
  const ask = async (send: RawSend & { letters?: string }, to = port): Promise<RawSegment | undefined> => {
    const stage = new Stage({ client: end, server: end }, target, family, to);
    try {
      const c = await stage.rawClient();
      await c.send(send.letters ?? 'S', { options: usual, ...send });
      const answer = await c.hears(answerMs);
      return answer && answer.flags & flagsOf('S') ? answer : undefined;
    } finally {
      await stage.clean();
      await pause(paceMs);
    }
  };
  const first = await ask({ letters: 'SEW' });
  const closed = closedPort === undefined ? null : (await ask({}, closedPort)) !== undefined;
  const tried: number[] = [];
  let answeredAt: number | null = null;
  const bad = first ? (await ask({ badChecksum: true })) !== undefined : false;
  const below = first ? Math.min(distanceOf(first.ip.ttl), mostHops) : 0;
  for (let ttl = 1; ttl <= below && answeredAt === null; ttl++) {
    tried.push(ttl);
    if (await ask({ ttl })) answeredAt = ttl;
  }
  return {
    answer: first
      ? {
          ttl: first.ip.ttl,
          mss: first.options.mss,
          options: optionsOf(first),
          ecn: (first.flags & flagsOf('E')) !== 0,
        }
      : null,
    answeredAt,
    tried,
    badChecksumAnswered: bad,
    closedAnswered: closed,
  };
}

/** The address with which this machine would speak to that one: connecting a datagram socket sends nothing. */
function ownAddress(to: string, port: number): Promise<string> {
  const socket = createSocket(to.includes(':') ? 'udp6' : 'udp4');
  return new Promise((resolve, reject) => {
    socket.once('error', (error: NodeJS.ErrnoException) =>
      reject(new AuditError('ROUTE', `finding the way to ${to}: ${error.code}`, 'is there a route to it?')),
    );
    socket.connect(port, to, () => {
      resolve(socket.address().address);
      socket.close();
    });
  });
}
