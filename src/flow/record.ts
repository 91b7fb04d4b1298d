/** What one end offered in its SYN (client) or SYN-ACK (server). Source: RFC 9293 section 3.2, RFC 7323, RFC 2018. */
export interface SynRecord {
  /** Initial sequence number, 0 to 2^32-1. */
  isn: number;
  /** The MSS option in bytes, or null when the option was absent (RFC 9293 MUST-15 then assumes 536 or 1220). */
  mss: number | null;
  /** Shift count of the window scale option, 0 to 14, or null when absent. */
  windowScale: number | null;
  sackPermitted: boolean;
  timestamps: boolean;
  /** True when this end offered (client) or accepted (server) ECN, RFC 3168 section 6.1.1. */
  ecn: boolean;
  /** TTL or hop limit as it arrived at the middle. */
  ttl: number;
}

/** What both ends said to each other before anything was intercepted. */
export interface HandshakeRecord {
  client: SynRecord;
  server: SynRecord;
}

/** One end of a connection. `address` is in text form: dotted quad, or IPv6 without brackets. */
export interface Endpoint {
  address: string;
  port: number;
  family: 4 | 6;
}

/** `192.0.2.7:50988` or `[2001:db8::1]:443`. */
export function formatEndpoint(end: Endpoint): string {
  return end.family === 6 ? `[${end.address}]:${end.port}` : `${end.address}:${end.port}`;
}
