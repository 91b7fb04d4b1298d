/**
 * TCP_REPAIR: a socket that carries on a connection which somebody else began.
 *
 * The order is forced. `tcp_repair_options_est()` wants ESTABLISHED with nothing sent, so the options come behind
 * connect(); connect() in repair mode reads the sequence numbers, so they come before it. TCP_MAXSEG is set before
 * connect() because `tcp_connect_init()` derives mss_cache from it; TCPOPT_MSS afterwards would leave the cache stale.
 */
import { close, getOption, SOL_TCP, setOption, setOptionBytes } from './socket.js';

const TCP_REPAIR = 19;
const TCP_REPAIR_QUEUE = 20;
const TCP_QUEUE_SEQ = 21;
const TCP_REPAIR_OPTIONS = 22;
const TCP_TIMESTAMP = 24;
const TCP_REPAIR_WINDOW = 29;
const TCP_RECV_QUEUE = 1;
const TCP_SEND_QUEUE = 2;
const TCPOPT_WINDOW = 3;
const TCPOPT_SACK_PERM = 4;
const TCPOPT_TIMESTAMP = 8;
/** Leaving with 0 would send a window probe; -1 (TCP_REPAIR_OFF_NO_WP) is silent. */
const REPAIR_OFF_SILENT = -1;

export const enterRepair = (fd: number): void => setOption(fd, SOL_TCP, TCP_REPAIR, 1, 'TCP_REPAIR');
export const leaveRepair = (fd: number): void =>
  setOption(fd, SOL_TCP, TCP_REPAIR, REPAIR_OFF_SILENT, 'TCP_REPAIR off');

export function setSequence(fd: number, send: number, receive: number): void {
  setOption(fd, SOL_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE, 'TCP_REPAIR_QUEUE');
  setOption(fd, SOL_TCP, TCP_QUEUE_SEQ, send | 0, 'TCP_QUEUE_SEQ');
  setOption(fd, SOL_TCP, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE, 'TCP_REPAIR_QUEUE');
  setOption(fd, SOL_TCP, TCP_QUEUE_SEQ, receive | 0, 'TCP_QUEUE_SEQ');
}

/** Puts it into repair mode and reads the sequence numbers: the next byte to be sent (`write_seq`), the next expected. */
export function readSequence(fd: number): { send: number; receive: number } {
  enterRepair(fd);
  const read = (queue: number): number => {
    setOption(fd, SOL_TCP, TCP_REPAIR_QUEUE, queue, 'TCP_REPAIR_QUEUE');
    return getOption(fd, SOL_TCP, TCP_QUEUE_SEQ, 'TCP_QUEUE_SEQ') >>> 0;
  };
  return { send: read(TCP_SEND_QUEUE), receive: read(TCP_RECV_QUEUE) };
}

/** Leaves repair mode with a window probe (tcp_send_window_probe()), which the peer answers as it would a keep-alive. */
export const leaveRepairAsking = (fd: number): void =>
  setOption(fd, SOL_TCP, TCP_REPAIR, 0, 'TCP_REPAIR off');

const options = new Uint32Array(6);
const optionBytes = new Uint8Array(options.buffer);

/** `sendScale` is what the peer announced, `receiveScale` what we are bound to; null: no scaling was agreed. */
export function setOptions(
  fd: number,
  sendScale: number | null,
  receiveScale: number,
  sack: boolean,
  timestamps: boolean,
): void {
  let n = 0;
  // Also without scaling: connect() has chosen a scale (tcp_select_initial_window()), which would shift what we announce.
  options[n++] = TCPOPT_WINDOW;
  options[n++] = sendScale === null ? 0 : (receiveScale << 16) | sendScale;
  if (sack) {
    options[n++] = TCPOPT_SACK_PERM;
    options[n++] = 0;
  }
  if (timestamps) {
    options[n++] = TCPOPT_TIMESTAMP;
    options[n++] = 0;
  }
  setOptionBytes(fd, SOL_TCP, TCP_REPAIR_OPTIONS, optionBytes, n * 4, 'TCP_REPAIR_OPTIONS');
}

/**
 * The next TSval is `tsval` or one more: from Linux 6.7 the lowest bit switches the socket to microseconds, and a
 * value that is behind what the peer has seen would fail its PAWS check (RFC 7323 section 5).
 */
export function setTimestamp(fd: number, tsval: number): void {
  setOption(fd, SOL_TCP, TCP_TIMESTAMP, ((tsval + 1) & ~1) | 0, 'TCP_TIMESTAMP');
}

/** What the socket would send as TSval now. */
export const timestampNow = (fd: number): number =>
  getOption(fd, SOL_TCP, TCP_TIMESTAMP, 'TCP_TIMESTAMP') >>> 0;

const window = new Uint32Array(5);
const windowBytes = new Uint8Array(window.buffer);

/**
 * The windows in bytes: `sendWindow` is what the peer has granted us, `receiveWindow` what it has been told that it
 * may send. `acknowledged` and `received` are the sequence numbers of the last segment that granted and was granted.
 */
export function setWindow(fd: number, received: number, sendWindow: number, receiveWindow: number): void {
  window[0] = received;
  window[1] = sendWindow;
  window[2] = sendWindow;
  window[3] = receiveWindow;
  window[4] = received;
  setOptionBytes(fd, SOL_TCP, TCP_REPAIR_WINDOW, windowBytes, 20, 'TCP_REPAIR_WINDOW');
}

/** Closes a socket without a FIN or a reset: one in repair mode says nothing (tcp_close()). */
export function discard(fd: number): void {
  try {
    enterRepair(fd);
  } finally {
    close(fd);
  }
}
