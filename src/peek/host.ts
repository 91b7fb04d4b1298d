import { formatAddress, parseAddress } from '../wire/address.js';
import { maxNameBytes, normaliseName } from './seen.js';

/** RFC 3986 section 3.2: reg-name or IPv4 address, or an IPv6 address in brackets; then a port, which may be empty. */
const authority = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9\-._~%!$&'()*+,;=]*))(?::\d*)?$/;
/** A name and its port. */
const maxAuthority = maxNameBytes + ':65535'.length;

/** The host of `host[:port]`: '' when there is none, null when the text is no such thing. */
export function hostOf(text: string): string | null {
  const match = text.length <= maxAuthority ? authority.exec(text) : null;

  if (!match) return null;
  if (match[1] === undefined) return normaliseName(match[2] ?? '');
  const address = parseAddress(match[1]);

  return address && match[1].includes(':') ? formatAddress(address) : null;
}

/**
 * The host that a request target names (RFC 9112 section 3.2): '' when it names none, null when the target has none of
 * the four forms.
 */
export function hostOfTarget(method: string, target: string): string | null {
  if (method === 'CONNECT') return /:\d+$/.test(target) ? hostOf(target) || null : null;
  if (target.startsWith('/')) return '';
  if (target === '*') return method === 'OPTIONS' ? '' : null;
  const absolute = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)/.exec(target)?.[1];

  if (absolute === undefined) return null;
  // User and password do not belong to the host (RFC 9110 section 4.2.4).
  return hostOf(absolute.slice(absolute.lastIndexOf('@') + 1)) || null;
}
