/** TCP_INFO (`struct tcp_info` of include/uapi/linux/tcp.h): what a socket knows about its connection. */
import { errno, libc } from './ffi.js';

const SOL_TCP = 6;
const TCP_INFO = 11;
const size = 248;

const getCall = libc.func('int getsockopt(int, int, int, void *, void *)');

const length = new Uint32Array(1);

/** States of `include/net/tcp_states.h`. */
export const TcpState = { ESTABLISHED: 1, FIN_WAIT2: 5, TIME_WAIT: 6, CLOSE: 7 } as const;

const state = new Uint8Array(4);

/** The connection's state, as in TcpState. */
export function tcpState(fd: number): number {
  length[0] = 1;
  return getCall(fd, SOL_TCP, TCP_INFO, state, length) < 0 ? TcpState.CLOSE : (state[0] as number);
}

const info = new DataView(new ArrayBuffer(236));
const infoBytes = new Uint8Array(info.buffer);

/**
 * Bytes of payload that were sent, each counted once. Source: TCP_INFO, tcpi_bytes_sent less tcpi_bytes_retrans; unlike
 * tcpi_bytes_acked they leave out the FIN. `queued`: also what waits to be sent (tcpi_notsent_bytes), which must hold no FIN.
 * -1: the kernel does not say.
 */
export function payloadSent(fd: number, queued = false): number {
  length[0] = 216;
  if (getCall(fd, SOL_TCP, TCP_INFO, infoBytes, length) < 0) return -1;
  const sent = Number(info.getBigUint64(200, true) - info.getBigUint64(208, true));
  return queued ? sent + info.getUint32(144, true) : sent;
}

/** Bytes that its peer has been told it may send (tcpi_rcv_wnd, Linux 6.2); 0 where the kernel does not say. */
export function receiveWindow(fd: number): number {
  length[0] = 236;
  if (getCall(fd, SOL_TCP, TCP_INFO, infoBytes, length) < 0 || (length[0] as number) < 236) return 0;
  return info.getUint32(232, true);
}

/** The smoothed round-trip time in milliseconds (TCP_INFO, tcpi_rtt), 0 before it was measured. */
export function roundTripMs(fd: number): number {
  length[0] = 216;
  return getCall(fd, SOL_TCP, TCP_INFO, infoBytes, length) < 0 ? 0 : info.getUint32(68, true) / 1000;
}

const tcpStates = [
  'NONE',
  'ESTABLISHED',
  'SYN_SENT',
  'SYN_RECV',
  'FIN_WAIT1',
  'FIN_WAIT2',
  'TIME_WAIT',
  'CLOSE',
  'CLOSE_WAIT',
  'LAST_ACK',
  'LISTEN',
  'CLOSING',
] as const;

export interface TcpInfo {
  state: string;
  /** TCPI_OPT_*: what both ends agreed on, and what was seen. */
  timestamps: boolean;
  sack: boolean;
  windowScaling: boolean;
  ecn: boolean;
  ecnSeen: boolean;
  synData: boolean;
  sendScale: number;
  receiveScale: number;
  sendMss: number;
  receiveMss: number;
  advertisedMss: number;
  pathMtu: number;
  unacknowledged: number;
  retransmissions: number;
  /** How many of them the other end had already, and said so (DSACK, RFC 2883; Linux 5.4). */
  needless: number;
  bytesAcknowledged: number;
  bytesReceived: number;
  /** What the other end has said it can take (Linux 5.4). */
  sendWindow: number;
  /** Smoothed, as this socket has measured it. */
  roundTripMs: number;
}

/** -errno when the socket is none. */
export function tcpInfo(fd: number): TcpInfo | number {
  const bytes = new Uint8Array(size);
  if (getCall(fd, SOL_TCP, TCP_INFO, bytes, new Uint32Array([size])) < 0) return -errno();
  const view = new DataView(bytes.buffer);
  const word = (offset: number) => view.getUint32(offset, true);
  const options = view.getUint8(5);
  const scales = view.getUint8(6);
  return {
    state: tcpStates[view.getUint8(0)] ?? String(view.getUint8(0)),
    timestamps: (options & 1) !== 0,
    sack: (options & 2) !== 0,
    windowScaling: (options & 4) !== 0,
    ecn: (options & 8) !== 0,
    ecnSeen: (options & 16) !== 0,
    synData: (options & 32) !== 0,
    sendScale: scales & 15,
    receiveScale: scales >> 4,
    sendMss: word(16),
    receiveMss: word(20),
    unacknowledged: word(24),
    pathMtu: word(60),
    advertisedMss: word(84),
    retransmissions: word(100),
    needless: word(216),
    bytesAcknowledged: Number(view.getBigUint64(120, true)),
    bytesReceived: Number(view.getBigUint64(128, true)),
    sendWindow: word(228),
    roundTripMs: word(68) / 1000,
  };
}
