/** What the control connection's own socket knows. */
import type { Socket } from 'node:net';
import { tcpInfo } from '../kernel/tcp_info.js';

/** As text without what a dual-stack socket puts in front of IPv4 (RFC 4291 section 2.5.5.2). */
export const plainAddress = (address: string | undefined): string =>
  (address ?? '').replace(/^::ffff:(?=\d+\.)/, '');

/**
 * How often the path has lost something of this connection: retransmissions, without those that were needless, which a busy machine is
 * enough for. Node.js has no words for it, but the handle of a TCP socket knows its descriptor. 0 when it is closed.
 */
export function lossesOf(socket: Socket): number {
  const fd = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd;
  const info = fd === undefined || fd < 0 ? null : tcpInfo(fd);
  return info === null || typeof info === 'number' ? 0 : Math.max(0, info.retransmissions - info.needless);
}
