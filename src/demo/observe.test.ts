import { describe, expect, it } from 'vitest';
import { endpoint, parseAccessLog } from './nginx.js';
import { parseFetched, parseHandshake, parsePercent, parseSockets } from './observe.js';

describe('what the tools print', () => {
  it('ss: a socket and its TCP information', () => {
    const text = `State Recv-Q Send-Q Local Address:Port Peer Address:PortProcess
ESTAB 0      7480   198.51.100.2:80     192.0.2.2:7862 ino:0 sk:1 cgroup:/ <->
\t ts sack cubic wscale:10,7 rto:201 rtt:0.042/0.023 mss:1448 cwnd:308 bytes_acked:162144506
ESTAB 0      0      [2001:db8:1::2]:7   [2001:db8:2::2]:80
`;
    expect(parseSockets(text)).toEqual([
      {
        state: 'ESTAB',
        local: '198.51.100.2:80',
        peer: '192.0.2.2:7862',
        details: {
          wscale: '10,7',
          rtt: '0.042/0.023',
          mss: '1448',
          cwnd: '308',
          bytes_acked: '162144506',
        },
      },
      { state: 'ESTAB', local: '[2001:db8:1::2]:7', peer: '[2001:db8:2::2]:80', details: {} },
    ]);
  });

  it('tcpdump: the first SYN and SYN-ACK, with ECN offered or not', () => {
    const text = `12:00:00.1 eth0 Out IP 192.0.2.2.5 > 198.51.100.2.80: Flags [SEW], seq 11, win 64240, length 0
12:00:00.2 eth0 In  IP 198.51.100.2.80 > 192.0.2.2.5: Flags [S.E], seq 22, ack 12, win 65160, length 0
12:00:00.3 eth0 Out IP 192.0.2.2.6 > 198.51.100.2.80: Flags [S], seq 33, win 64240, length 0
`;
    expect(parseHandshake(text)).toEqual({ clientSequence: 11, serverSequence: 22 });
    expect(parseHandshake('')).toEqual({ clientSequence: null, serverSequence: null });
  });

  it('curl: the line of --write-out, and the progress bar', () => {
    expect(parseFetched('2001:db8::2 5 2001:db8::1 80 200 23 0.000412\n', endpoint)).toEqual({
      client: '[2001:db8::2]:5',
      server: '[2001:db8::1]:80',
      status: 200,
      bytes: 23,
      seconds: 0.000412,
    });
    expect(parsePercent('\r## 3.1%\r#### 12.5%')).toBe(12.5);
    expect(parsePercent('')).toBeNull();
  });

  it('nginx: who came', () => {
    expect(parseAccessLog('192.0.2.2 5 /hello 23\n2001:db8::2 6 /large 400\n')).toEqual([
      { client: '192.0.2.2:5', path: '/hello', bytes: 23 },
      { client: '[2001:db8::2]:6', path: '/large', bytes: 400 },
    ]);
  });
});
