/**
 * A redirector to a SOCKS server, which stands here on the same machine: what phones and "VPN" programs do to all connections.
 * The kind that answers first and asks later, and speaks to the server in its own name.
 */
import { type Box, firstLine, needs } from './box.js';
import { placed } from './placing.js';

const port = 12345;
const socksPort = 1080;

/** https://github.com/darkk/redsocks, redsocks.conf.example. */
const configuration = `base {
  log_debug = off;
  log_info = off;
  log = stderr;
  daemon = off;
  redirector = iptables;
}
redsocks {
  // The address of the interface on which the client comes in, as REDIRECT has it.
  local_ip = 0.0.0.0;
  local_port = ${port};
  ip = 127.0.0.1;
  port = ${socksPort};
  type = socks5;
}
`;

export const redsocks: Box = {
  name: 'redsocks',
  what: 'redsocks behind REDIRECT, with microsocks on the same machine',
  documentation: ['https://github.com/darkk/redsocks/blob/master/README.md'],
  lacks: { 6: 'its configuration knows no IPv6 address' },
  missing: needs({ redsocks: 'redsocks', microsocks: 'microsocks', nft: 'nftables' }),
  version: () => firstLine('redsocks', '-v'),
  start: placed(async (placing) => {
    const file = placing.file(placing.folder(), 'redsocks.conf', configuration);
    await placing.program(
      ['microsocks', '-i', '127.0.0.1', '-p', String(socksPort)],
      placing.listens(socksPort),
    );
    await placing.program(['redsocks', '-c', file], placing.listens(port));
    placing.redirectTo(port);
  }),
};
