/** Which packets that one end has sent are those that the other one got, and which the box between them took in or made. */
import type { TimelineEvent } from './timeline.js';
import type { View, Views } from './view.js';

export type End = 'client' | 'server';

/** An event at one end, by the clock that both share (microseconds). */
export interface Seen {
  end: End;
  time: number;
  event: TimelineEvent;
}

/** A packet on its way: sent and received, or only one of both. */
export interface Crossing {
  sent: Seen | null;
  received: Seen | null;
  /** Both have seen it, but with other sequence numbers: the box took one in and made another one. */
  remade: boolean;
}

/** A connection as its two ends name it; one of them may have seen nothing of it. */
export interface Meeting {
  client: View | null;
  server: View | null;
  crossings: Crossing[];
}

/** Two clocks in one machine are one; between machines they are known to a round trip of the control connection. */
const slack = 1000;

export function meetingsOf({ client, server }: Views): Meeting[] {
  const rest = [...server];
  const take = (fits: (view: View) => boolean): View | null => {
    const at = rest.findIndex(fits);
    return at < 0 ? null : (rest.splice(at, 1)[0] as View);
  };
  const named = client.map((mine) => ({
    mine,
    theirs: take((each) => each.clientPort === mine.clientPort && each.serverPort === mine.serverPort),
  }));
  // A box that changes ports: the order of the connections to one port of the server has to do.
  const all = named.map(({ mine, theirs }) => ({
    mine,
    theirs: theirs ?? take((each) => each.serverPort === mine.serverPort),
  }));
  return [
    ...all.map(({ mine, theirs }) => meeting(mine, theirs)),
    ...rest.map((theirs) => meeting(null, theirs)),
  ];
}

function meeting(client: View | null, server: View | null): Meeting {
  const seen = (view: View | null, end: End): Seen[] =>
    (view?.events ?? []).map((event) => ({ end, time: (view?.start ?? 0) + event.time, event }));
  const all = [...seen(client, 'client'), ...seen(server, 'server')];
  const sends = ({ end, event }: Seen) => (end === 'client') === (event.direction === '>');
  const remade = ({ direction, kind }: TimelineEvent) =>
    kind !== 'icmp' && client?.isn[direction] !== server?.isn[direction];
  const waiting = all.filter((each) => !sends(each));
  const crossings: Crossing[] = all.filter(sends).map((sent) => {
    const at = waiting.findIndex((each) => isSame(sent.event, each.event) && each.time >= sent.time - slack);
    const received = at < 0 ? null : (waiting.splice(at, 1)[0] as Seen);
    return { sent, received, remade: received !== null && remade(sent.event) };
  });
  crossings.push(...waiting.map((received) => ({ sent: null, received, remade: false })));
  return { client, server, crossings: crossings.sort((a, b) => timeOf(a) - timeOf(b)) };
}

const timeOf = ({ sent, received }: Crossing): number => (sent ?? received)?.time ?? 0;

function isSame(a: TimelineEvent, b: TimelineEvent): boolean {
  if (a.direction !== b.direction || a.kind !== b.kind) return false;
  if (a.kind === 'ack') return a.ack === b.ack;
  // What it quotes may have another number at the other end.
  if (a.kind === 'icmp') return a.detail === b.detail;
  return a.seq === b.seq && a.end === b.end;
}
