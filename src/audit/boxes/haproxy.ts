/** HAProxy between two ends that do not know of it. */
import { type Box, firstLine, needs } from './box.js';
import { placed } from './placing.js';

const port = 8080;

/** Two proxies, since the address to speak from has a family. */
const configuration = (
  usesrc: 'client' | 'clientip',
): string => `# https://docs.haproxy.org/2.6/configuration.html
# 5.1 "bind", transparent: connections to any address are taken, which TPROXY brings here.
# 4.2 "source", usesrc ${usesrc}: the server sees ${usesrc === 'client' ? 'address and port' : 'the address'} of the client.
# 5.2 "server": with the address 0.0.0.0 or ::, and port 0, the one that the client has connected to.
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen all4
  bind 0.0.0.0:${port} transparent
  source 0.0.0.0 usesrc ${usesrc}
  server any 0.0.0.0:0
listen all6
  bind :::${port} v6only transparent
  source :::0 usesrc ${usesrc}
  server any :::0
`;

function haproxyWith(name: string, usesrc: 'client' | 'clientip'): Box {
  return {
    name,
    what: `HAProxy, transparent (TPROXY, usesrc ${usesrc})`,
    documentation: [
      'https://docs.haproxy.org/2.6/configuration.html#4.2-source',
      'https://docs.kernel.org/networking/tproxy.html',
    ],
    missing: needs({ haproxy: 'haproxy', nft: 'nftables' }),
    version: () => firstLine('haproxy', '-v').split(' - ')[0] as string,
    start: placed(async (placing) => {
      const file = placing.file(placing.folder(), 'haproxy.cfg', configuration(usesrc));
      await placing.program(['haproxy', '-db', '-f', file], placing.listens(port));
      placing.tproxyTo(port);
    }),
  };
}

export const haproxy = haproxyWith('haproxy', 'client');
export const haproxyClientIp = haproxyWith('haproxy-clientip', 'clientip');
