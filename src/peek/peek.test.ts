import { describe, expect, it } from 'vitest';
import { recording } from './fixtures/build.js';
import { Peeker, peekFirst, peekLimit, type Side } from './peek.js';

const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));
const see = (text: string, from: Side = 'client') => peekFirst(from, bytes(text), false);
const www = 'www.example.com';
const curlOffer = { protocol: 'tls', sni: www, alpn: ['h2', 'http/1.1'] };

describe('what real clients say', () => {
  it.each([
    ['curl-http1', { protocol: 'http1', host: www, method: 'GET' }],
    ['curl-http1-post', { protocol: 'http1', host: www, method: 'POST' }],
    ['curl-http1-ipv6-host', { protocol: 'http1', host: '2001:db8::1', method: 'GET' }],
    ['curl-proxy-get', { protocol: 'http1', host: www, method: 'GET' }],
    ['curl-connect', { protocol: 'http1', host: www, method: 'CONNECT' }],
    ['curl-http2-prior-knowledge', { protocol: 'http2' }],
    ['curl-https', curlOffer],
    ['curl-https-http1', { protocol: 'tls', sni: www, alpn: ['http/1.1'] }],
    ['openssl-tls13', curlOffer],
    ['openssl-tls12-no-sni', { protocol: 'tls' }],
    ['openssl-small-records', { protocol: 'tls', sni: www, alpn: expect.any(Array) }],
    ['ssh', { protocol: 'ssh' }],
    ['chromium', curlOffer],
  ])('%s', (name, seen) => {
    expect(peekFirst('client', recording(name), false)).toEqual(seen);
  });

  it('Chromium needs more than one segment, openssl more than one record', () => {
    const hello = recording('chromium');

    expect(hello.length).toBeGreaterThan(1460);
    expect(peekFirst('client', hello.subarray(0, 1460), false)).toBe('more');
    expect(peekFirst('client', recording('openssl-small-records'), false)).toMatchObject({
      alpn: expect.arrayContaining(['experiment-protocol-number-23', 'http/1.1']),
    });
  });
});

describe('who speaks first', () => {
  it.each([
    ['220 mx.example.com ESMTP Postfix\r\n', 'smtp'],
    ['220-mx.example.com ESMTP Exim 4.96\r\n', 'smtp'],
    ['220-mx.example.com\r\n220-no unsolicited mail\r\n220 SMTP\r\n', 'smtp'],
    ['220 mail.example.com Microsoft ESMTP MAIL Service ready\n', 'smtp'],
    ['220 (vsFTPd 3.0.3)\r\n', 'unknown'],
    ['220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n220 You\r\n', 'unknown'],
    ['220 ProFTPD Server ready.\r\n', 'unknown'],
    ['220 mail.example.com ready\r\n', 'unknown'],
    ['220\r\n', 'unknown'],
    ['2200', 'unknown'],
    ['554 go away\r\n', 'unknown'],
    ['SSH-2.0-OpenSSH_9.2p1\r\n', 'ssh'],
    ['SSH-1.99-x', 'ssh'],
    ['+OK POP3', 'unknown'],
    ['* OK IMAP4rev1', 'unknown'],
    ['\xff\xfd\x18', 'unknown'],
    ['GET / HTTP/1.1\r\n\r\n', 'unknown'],
  ])('server: %j', (text, protocol) => {
    expect(see(text, 'server')).toEqual({ protocol });
  });

  it.each([
    ['EHLO client.example.com\r\n', 'smtp'],
    ['helo x\r\n', 'smtp'],
    ['SSH-2.0-PuTTY_Release_0.78\r\n', 'ssh'],
    ['SSH-two\r\n', 'unknown'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0', 'http2'],
    ['PRI * HTTP/2.0\r\n\r\nSN', 'unknown'],
    ['\x13BitTorrent protocol', 'unknown'],
    ['USER anonymous\r\n', 'unknown'],
    ['\0', 'unknown'],
  ])('client: %j', (text, protocol) => {
    expect(see(text)).toEqual({ protocol });
  });

  it.each([
    ['220 mx.example.com ESM', 'server'],
    ['220-mx.example.com\r\n', 'server'],
    ['22', 'server'],
    ['SSH-2.', 'client'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r', 'client'],
    ['EHL', 'client'],
    ['', 'client'],
  ] as [string, Side][])('%j of the %s needs more', (text, from) => {
    expect(see(text, from)).toBe('more');
  });
});

describe('the end', () => {
  it.each([
    ['', 'client', { protocol: 'unknown' }],
    ['GET / HT', 'client', { protocol: 'unknown' }],
    ['GET / HTTP/1.1\r\nHost: a.example\r\n', 'client', { protocol: 'http1', method: 'GET' }],
    ['\x16\x03\x01\x02\x00', 'client', { protocol: 'unknown' }],
    ['\x16\x03\x01\x02\x00\x01', 'client', { protocol: 'tls' }],
    ['220 mx.example.com ESMTP', 'server', { protocol: 'smtp' }],
    ['220 mx.example.com', 'server', { protocol: 'unknown' }],
    ['SSH-2.0', 'server', { protocol: 'unknown' }],
  ] as const)('after %j of the %s', (text, from, seen) => {
    expect(peekFirst(from, bytes(text), true)).toEqual(seen);
  });

  it('comes with the limit', () => {
    const peeker = new Peeker('client');

    expect(peeker.feed(bytes('GET / HTTP/1.1\r\n'))).toBe('more');
    expect(peeker.feed(bytes('x: y\r\n'.repeat(10_000)))).toBe('more');
    expect(peeker.feed(bytes('x: y\r\n'.repeat(10_000)))).toEqual({ protocol: 'http1', method: 'GET' });
  });

  it('changes nothing after an answer', () => {
    const peeker = new Peeker('client');

    expect(peeker.feed(bytes('SSH-2.0-x'))).toEqual({ protocol: 'ssh' });
    expect(peeker.feed(bytes('\0'))).toEqual({ protocol: 'ssh' });
    expect(peeker.end()).toEqual({ protocol: 'ssh' });
  });

  it('does not cost a square when bytes come one by one', () => {
    const heads = [
      `GET / HTTP/1.1\r\nx: ${' \t'.repeat(peekLimit / 2)}`,
      `GET / HTTP/1.1\r\n${'\ta\n'.repeat(peekLimit / 3)}`,
      `GET /${'a'.repeat(peekLimit)}`,
      `\x16\x03\x01\0\x01\x01\x16\x03\x01\0\x01\0${'\x16\x03\x01\0\x01\x80'.repeat(peekLimit / 6)}`,
    ];
    const start = performance.now();

    for (const head of heads) {
      const peeker = new Peeker('client');

      for (const byte of bytes(head)) peeker.feed(Uint8Array.of(byte));
      expect(peeker.end().protocol).not.toBe('smtp');
    }
    // A square would be 2^32 steps each.
    expect(performance.now() - start).toBeLessThan(3000);
  });
});
