import { describe, expect, it } from 'vitest';
import { RawConnection, type RawPlace } from './raw-connection.js';
import { disagreed, exchangeOf, headEnd } from './wrap.js';

describe('the exchange of HTTP', () => {
  it.each([
    ['198.51.100.2', '198.51.100.2:7410'],
    ['2001:db8:2::2', '[2001:db8:2::2]:7410'],
  ])('names %s as the host', (address, host) => {
    const { request } = exchangeOf('http', address, 7410);
    expect(request.split('\r\n')).toContain(`Host: ${host}`);
    expect(request.indexOf(headEnd)).toBe(request.length - headEnd.length);
  });

  it('answers the key as RFC 6455 section 4.2.2 computes it', () => {
    // echo -n ZGVzcGxpY2UtYXVkaXQtMA==258EAFA5-E914-47DA-95CA-C5AB0DC85B11 | openssl sha1 -binary | base64
    const { response } = exchangeOf('http', '198.51.100.2', 7410);
    expect(response).toContain('Sec-WebSocket-Accept: hW7uy89poxh2xFXA8TigOudErKs=\r\n');
  });

  it('is agreed on by 101 alone', () => {
    const exchange = exchangeOf('http', '198.51.100.2', 7410);
    expect(disagreed(exchange, exchange.response)).toBe('');
    const refusal = 'HTTP/1.1 403 Forbidden\r\nServer: box\r\n\r\n';
    expect(disagreed(exchange, refusal)).toContain('HTTP/1.1 403 Forbidden');
    expect(disagreed(exchange, '', 'EOF')).toContain('EOF');
  });
});

/** Two ends by hand, and between them whatever `change` makes of each packet. */
function pair(change: (packet: Uint8Array) => Uint8Array[] = (packet) => [packet]) {
  const exchange = exchangeOf('http', '198.51.100.2', 7410);
  const ends: Record<string, RawConnection> = {};
  const place = (end: 'client' | 'server', address: string, peer: string): RawPlace => ({
    end,
    address,
    peer,
    port: 7410,
    exchange,
    begin: () => () => {},
    transmit: async (packet) => {
      for (const each of change(packet)) ends[end === 'client' ? 'server' : 'client']?.hear(each);
    },
  });
  const c = new RawConnection(place('client', '192.0.2.2', '198.51.100.2'), 40_000, 1_000_000);
  // Its numbers pass 2^32 within the head.
  const s = new RawConnection(place('server', '198.51.100.2', '192.0.2.2'), 7410, 0xffff_fff0);
  Object.assign(ends, { client: c, server: s });
  return { c, s };
}

describe('a connection by hand that begins with an exchange', () => {
  it('counts anew behind it, at both ends', async () => {
    const { c, s } = pair();
    expect(await Promise.all([s.open(), c.open()])).toEqual(['', '']);
    for (const end of [c, s]) {
      expect([end.next, end.received, end.largest, end.lengths]).toEqual([1, 1, 0, []]);
    }
    expect([c.initial, s.initial]).toEqual([1_000_000, 0xffff_fff0]);
    expect([c.peerIsn, s.peerIsn]).toEqual([s.isn, c.isn]);
    await c.send('P.', { length: 100 });
    expect(await s.receive(101)).toBe(true);
    await s.send('P.', { length: 200 });
    expect(await c.receive(201)).toBe(true);
  });

  it('reads a head that comes late, and more than once', async () => {
    const late: Uint8Array[] = [];
    const { c, s } = pair((packet) => {
      if (packet.length < 150 || late.length > 0) return [packet, packet];
      late.push(packet);
      return [];
    });
    const opening = Promise.all([s.open(), c.open()]);
    await expect.poll(() => late.length).toBe(1);
    s.hear(late[0] as Uint8Array);
    expect(await opening).toEqual(['', '']);
    expect([s.received, c.received]).toEqual([1, 1]);
  });

  it('says who did not say what', async () => {
    const { c, s } = pair((packet) => (packet.length > 150 ? [] : [packet]));
    expect(await Promise.all([s.open(), c.open()])).toEqual([
      'no request reached the server',
      expect.stringContaining('nothing'),
    ]);
  });
});
