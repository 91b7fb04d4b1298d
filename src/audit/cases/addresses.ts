import { type AuditCase, found, NotTested } from '../case.js';
import { readText, whole } from '../socket.js';

/** What protocols with addresses in their data say, which helpers of firewalls rewrite. */
const withAddresses = [
  'PORT 192,0,2,2,195,80\r\n',
  'EPRT |1|192.0.2.2|50000|\r\n',
  'Contact: <sip:alice@192.0.2.2:5060>\r\n',
  'c=IN IP4 192.0.2.2\r\n',
  'PRIVMSG bob :\u0001DCC SEND file 3221225986 50000 1000\u0001\r\n',
].join('');

const keepSource = 'bind the socket towards the server to address and port of the client (IP_TRANSPARENT)';

export const addresses: AuditCase[] = [
  {
    id: 'source-address-kept',
    group: 'addresses',
    faults: [28],
    by: 'sockets',
    right: 'the server sees the address of the client',
    standard: 'RFC 3143 section 2.2.3; RFC 2775 section 2.3 on transparency of addresses',
    consequence: 'logs, limits and access lists of the server see one client: the box',
    mend: keepSource,
    sent: 'a connection',
    async run(stage) {
      const { c, s } = await stage.connected();
      return found(
        { client: c.local.address, server: s.remote.address },
        c.local.address !== s.remote.address && 'the server sees another address',
      );
    },
  },
  {
    id: 'source-port-kept',
    group: 'addresses',
    faults: [28],
    by: 'sockets',
    right: 'the server sees the port of the client',
    standard: 'RFC 3143 section 2.2.3 speaks of the address; that the port is kept too is transparency',
    consequence: 'logs of both sides cannot be matched; protocols that name their port break',
    mend: keepSource,
    sent: 'a connection',
    async run(stage) {
      const { c, s } = await stage.connected();
      return found(
        { client: String(c.local.port), server: String(s.remote.port) },
        c.local.port !== s.remote.port && 'the server sees another port',
      );
    },
  },
  {
    id: 'destination-kept',
    group: 'addresses',
    faults: [29],
    by: 'sockets',
    right: 'the connection arrives at the address and port that the client named',
    standard: 'RFC 2775 section 2.3 on transparency of addresses',
    consequence: 'connections end up at a server that the client did not ask for',
    mend: 'connect to the original destination (SO_ORIGINAL_DST, or the local name with TPROXY)',
    sent: 'a connection to the second port of the case',
    async run(stage) {
      const { c, s } = await stage.connected({ to: 1 });
      const [asked, got] = [`${c.remote.address} ${c.remote.port}`, `${s.local.address} ${s.local.port}`];
      return found({ client: asked, server: got }, asked !== got && 'it arrived somewhere else');
    },
  },
  {
    id: 'one-port-two-servers',
    group: 'addresses',
    faults: [30],
    by: 'sockets',
    right: 'one port of a client talks to two servers at a time',
    standard: 'RFC 9293 section 4: a connection is identified by a pair of sockets',
    consequence: 'the second connection fails, now and then, as soon as clients are many',
    mend: 'bind late, to all four numbers (IP_BIND_ADDRESS_NO_PORT), and track both legs apart',
    sent: 'two connections from one port, and data on both',
    async run(stage) {
      const one = await stage.connected({ options: { SO_REUSEADDR: 1 } });
      const listener = await stage.listen({ at: 1 });
      const c = await stage.connect({ to: 1, fromPort: one.c.local.port });
      if (c.error === 'EADDRINUSE') throw new NotTested('the client has no such port left');
      const s = c.error ? null : await listener.accept();
      await one.c.send(100);
      const first = await one.s.receive(100);
      if (s && !s.error) await c.send(100);
      const second = s && !s.error ? await s.receive(100) : null;
      const seen = {
        client: c.error || 'connected twice',
        server: `${readText(first)}; ${second ? readText(second) : 'no second connection'}`,
      };
      return found(seen, [
        c.error !== '' && `the second connection failed: ${c.error}`,
        (!second || !whole(second, 100)) && 'the second connection carries no data',
        !whole(first, 100) && 'the first connection was disturbed',
      ]);
    },
  },
  {
    id: 'payload-untouched',
    group: 'addresses',
    faults: [32],
    by: 'sockets',
    right: 'addresses in the data arrive as they were written',
    standard: 'RFC 5382 REQ-6: helpers for other protocols are off, or can be switched off',
    consequence: 'files and messages change on their way, where they look like FTP or SIP',
    mend: 'switch the helpers off (nf_conntrack_helper, "ALG")',
    sent: 'lines of FTP, SIP, SDP and IRC with addresses in them, both ways',
    async run(stage) {
      const { c, s } = await stage.connected();
      await c.write(withAddresses);
      const there = await s.read(withAddresses.length);
      await s.write(withAddresses);
      const back = await c.read(withAddresses.length);
      const text = (came: string) => (came === withAddresses ? 'as sent' : `${came.length} bytes, changed`);
      return found(
        { client: text(back), server: text(there) },
        (there !== withAddresses || back !== withAddresses) && 'the data was changed',
      );
    },
  },
];
