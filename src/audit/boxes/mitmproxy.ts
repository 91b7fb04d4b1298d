/** mitmproxy in transparent mode. */
import { type Box, firstLine, needs } from './box.js';
import { placed } from './placing.js';

const port = 8080;

/** https://docs.mitmproxy.org/stable/howto-transparent/, and options of https://docs.mitmproxy.org/stable/concepts-options/. */
const configuration = `mode: transparent
# Clients may come from addresses that are not private.
block_global: false
# What follows an upgrade is passed on as it is.
websocket: false
rawtcp: true
# Nobody has to have a whole message before any of it goes on.
stream_large_bodies: "1"
flow_detail: 0
termlog_verbosity: error
`;

export const mitmproxy: Box = {
  name: 'mitmproxy',
  what: 'mitmproxy, mode transparent (NAT)',
  documentation: ['https://docs.mitmproxy.org/stable/howto-transparent/'],
  speaks: 'http',
  missing: needs({ mitmdump: 'mitmproxy', nft: 'nftables' }),
  version: () => firstLine('mitmdump', '--version').replace('Mitmproxy:', 'mitmproxy'),
  start: placed(async (placing) => {
    const folder = placing.folder();
    placing.file(folder, 'config.yaml', configuration);
    // Step 2 of the page: the clients are not to be told of a shorter way.
    placing.sysctl('net.ipv4.conf.all.send_redirects', '0');
    const argv = ['mitmdump', '--set', `confdir=${folder}`, '--listen-port', String(port)];
    await placing.program(argv, placing.listens(port), { HOME: folder });
    placing.redirectTo(port);
  }),
};
