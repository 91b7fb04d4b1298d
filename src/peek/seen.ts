/** What the first bytes of a connection can tell. */
export const protocols = ['tls', 'http1', 'http2', 'ssh', 'smtp', 'unknown'] as const;
export type Protocol = (typeof protocols)[number];

/** What was seen. Names are in lower case, without a trailing dot; what was not said is absent. */
export interface Seen {
  protocol: Protocol;
  /** TLS: the server name. With Encrypted Client Hello, the outer one. */
  sni?: string;
  /** TLS: the application protocols that the client offers, as it orders them. */
  alpn?: string[];
  /** HTTP/1: the host that the request is for, without its port; an IPv6 address without brackets. */
  host?: string;
  /** HTTP/1: the method as it was sent. */
  method?: string;
}

/**
 * Reads one protocol in a stream that grows. `no`: it is not this protocol. Whatever is answered but `more` depends on
 * the stream alone, not on how it was cut: the same for every stream that begins with these bytes.
 */
export interface Reader {
  /** `bytes`: all of the stream so far. `ended`: no more will come, and `more` is no answer. */
  read(bytes: Uint8Array, ended: boolean): Seen | 'more' | 'no';
}

/** The longest name that is believed: RFC 1035 section 2.3.4, and the reason why no name is longer in an event. */
export const maxNameBytes = 255;

/** For names that were sent: DNS knows no upper case (RFC 4343), and the last dot only says that the name is whole. */
export function normaliseName(name: string): string {
  const lower = name.toLowerCase();

  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

/** One character for each byte. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}

/** For people: `tls, sni www.example.com, alpn h2 http/1.1`. */
export function describeSeen({ protocol, sni, alpn, host, method }: Seen): string {
  const parts: string[] = [protocol];

  if (sni !== undefined) parts.push(`sni ${sni}`);
  if (alpn !== undefined) parts.push(`alpn ${alpn.join(' ')}`);
  if (method !== undefined) parts.push(`method ${method}`);
  if (host !== undefined) parts.push(`host ${host}`);
  return parts.join(', ');
}
