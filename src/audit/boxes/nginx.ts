/**
 * nginx as a TCP proxy that speaks to the server from the client's address. Its listener cannot be a transparent one, so TPROXY
 * cannot bring it connections for addresses of others: NAT does, and the one server is named in the configuration.
 */
import type { Ports } from '../wiretap.js';
import { type Box, firstLine, needs } from './box.js';
import { ownSockets, placed } from './placing.js';

const server = (ports: Ports, listen: string, to: string): string => `  server {
    listen ${listen}:${ports.first}-${ports.last};
    proxy_pass ${to}:$server_port;
    # "transparent": from an address that is not this machine's. The documentation has it without the client's port.
    proxy_bind $remote_addr transparent;
    # Each direction ends by itself (nginx 1.21.4).
    proxy_half_close on;
    proxy_connect_timeout 5s;
    proxy_timeout 60s;
  }`;

const configuration = (
  folder: string,
  servers: string[],
) => `# https://nginx.org/en/docs/stream/ngx_stream_proxy_module.html#proxy_bind
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
# Its workers keep CAP_NET_RAW, which "transparent" needs, without being root (nginx 1.13.8).
user www-data;
worker_processes 1;
daemon off;
pid ${folder}/nginx.pid;
error_log stderr error;
events {}
stream {
${servers.join('\n')}
}
`;

export const nginx: Box = {
  name: 'nginx',
  what: 'nginx stream, proxy_bind $remote_addr transparent (behind NAT, one server)',
  documentation: ['https://nginx.org/en/docs/stream/ngx_stream_proxy_module.html#proxy_bind'],
  missing: needs({ nginx: 'nginx-light', 'ngx_stream_module.so': 'libnginx-mod-stream', nft: 'nftables' }),
  version: () => firstLine('nginx', '-v').replace('nginx version: ', ''),
  start: placed(async (placing) => {
    const { ports, lab } = placing;
    const folder = placing.folder('www-data');
    const text = configuration(folder, [
      server(ports, '0.0.0.0', lab.addresses.server4),
      server(ports, '[::]', `[${lab.addresses.server6}]`),
    ]);
    const argv = ['nginx', '-p', folder, '-e', 'stderr', '-c', placing.file(folder, 'nginx.conf', text)];
    await placing.program(argv, placing.listens(ports.last));
    placing.markedAreLocal();
    placing.rules(`chain diverted {
      type filter hook prerouting priority mangle;
      ${ownSockets}
    }
    chain taken {
      type nat hook prerouting priority dstnat;
      iifname toclient tcp dport ${ports.first}-${ports.last} redirect
    }`);
  }),
};
