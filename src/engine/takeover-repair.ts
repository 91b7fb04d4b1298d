/** A socket by TCP_REPAIR: works on every kernel and for every connection, with seventeen system calls. */
import {
  discard,
  enterRepair,
  leaveRepair,
  setOptions,
  setSequence,
  setTimestamp,
  setWindow,
} from '../kernel/repair.js';
import {
  bind,
  connect,
  setMaxSegment,
  setTransparent,
  setUrgentInline,
  tcpSocket,
} from '../kernel/socket.js';
import { DEFAULT_MSS } from '../wire/tcp.js';
import { Has } from './layout.js';
import { CLIENT, type Identity, SERVER, type Side, windowOf } from './taken.js';

/**
 * Makes the socket that faces `side`: it has the other end's address and carries on the other end's sequence numbers.
 * `taken[x]` counts bytes of end x that are to be passed on by hand: the sockets start behind them.
 */
export function makeByRepair(identity: Identity, side: Side, taken: readonly [number, number]): number {
  const other: Side = side === CLIENT ? SERVER : CLIENT;
  const family = identity.family;
  const peer = identity.sides[side];
  const self = identity.sides[other];
  const both = identity.agreed;
  const scaled = (both & Has.WSCALE) !== 0;
  const received = (peer.isn + 1 + taken[side]) >>> 0;
  const fd = tcpSocket(family);
  try {
    setTransparent(fd, family);
    setUrgentInline(fd);
    enterRepair(fd);
    setSequence(fd, (self.isn + 1) >>> 0, received);
    setMaxSegment(fd, peer.has & Has.MSS ? peer.mss : DEFAULT_MSS[family]);
    bind(fd, family, identity.key, identity.addressOffset(other), identity.port(other));
    connect(fd, family, identity.key, identity.addressOffset(side), identity.port(side));
    setOptions(fd, scaled ? peer.scale : null, self.scale, (both & Has.SACK) !== 0, (both & Has.TS) !== 0);
    if (both & Has.TS) setTimestamp(fd, self.tsval);
    setWindow(fd, received, windowOf(peer, scaled), Math.max(0, windowOf(self, scaled) - taken[side]));
    leaveRepair(fd);
    return fd;
  } catch (error) {
    discard(fd);
    throw error;
  }
}
