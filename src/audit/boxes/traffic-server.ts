/** Apache Traffic Server as a transparent forward proxy, with the addresses and ports of both ends. */
import { chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Box, firstLine, needs } from './box.js';
import { idsOf, placed } from './placing.js';

const port = 8080;
const user = 'trafficserver';

const records = `# https://docs.trafficserver.apache.org/en/9.2.x/admin-guide/configuration/transparent-proxy.en.html
# tr-full: transparent to both ends.
CONFIG proxy.config.http.server_ports STRING ${port}:tr-full ${port}:tr-full:ipv6
# https://docs.trafficserver.apache.org/en/9.2.x/admin-guide/files/records.config.en.html: the client's port, too.
CONFIG proxy.config.http.use_client_source_port INT 1
# A forward proxy: any server, and the one that the client has connected to.
CONFIG proxy.config.reverse_proxy.enabled INT 0
CONFIG proxy.config.url_remap.remap_required INT 0
CONFIG proxy.config.http.use_client_target_addr INT 1
# What an end says to the other one passes as it was said.
CONFIG proxy.config.http.insert_request_via_str INT 0
CONFIG proxy.config.http.insert_client_ip INT 0
CONFIG proxy.config.http.insert_squid_x_forwarded_for INT 0
CONFIG proxy.config.http.cache.http INT 0
# A server that refuses once is asked again by the next client.
CONFIG proxy.config.http.down_server.cache_time INT 0
CONFIG proxy.config.http.wait_for_cache INT 0
CONFIG proxy.config.log.logging_enabled INT 0
CONFIG proxy.config.admin.user_id STRING ${user}
`;

/** By default only this machine may ask. https://docs.trafficserver.apache.org/en/9.2.x/admin-guide/files/ip_allow.yaml.en.html */
const allowed = `ip_allow:
  - { apply: in, ip_addrs: 0/0, action: allow, methods: ALL }
  - { apply: in, ip_addrs: '::/0', action: allow, methods: ALL }
`;

const folders = ['etc', 'run', 'log', 'cache'] as const;

export const trafficServer: Box = {
  name: 'trafficserver',
  what: 'Apache Traffic Server, tr-full (TPROXY), use_client_source_port',
  documentation: [
    'https://docs.trafficserver.apache.org/en/9.2.x/admin-guide/configuration/transparent-proxy.en.html',
  ],
  speaks: 'http',
  missing: needs({ traffic_server: 'trafficserver', nft: 'nftables' }),
  version: () => firstLine('traffic_server', '-V').replace(/ [A-Z][a-z]{2} .*/, ''),
  start: placed(async (placing) => {
    const folder = placing.folder(user);
    for (const each of folders) {
      mkdirSync(join(folder, each));
      chownSync(join(folder, each), ...idsOf(user));
    }
    placing.file(join(folder, 'etc'), 'records.config', records, user);
    placing.file(join(folder, 'etc'), 'ip_allow.yaml', allowed, user);
    placing.file(join(folder, 'etc'), 'storage.config', '# no cache\n', user);
    const layout = {
      prefix: '/usr',
      exec_prefix: '/usr',
      bindir: '/usr/bin',
      sbindir: '/usr/bin',
      libdir: '/usr/lib/trafficserver',
      libexecdir: '/usr/lib/trafficserver/modules',
      includedir: '/usr/include',
      datadir: join(folder, 'cache'),
      sysconfdir: join(folder, 'etc'),
      localstatedir: join(folder, 'run'),
      runtimedir: join(folder, 'run'),
      logdir: join(folder, 'log'),
      cachedir: join(folder, 'cache'),
    };
    const text = Object.entries(layout).map(([key, value]) => `${key}: ${value}\n`);
    const root = placing.file(folder, 'runroot.yaml', text.join(''), user);
    await placing.program(['traffic_server', `--run-root=${root}`], placing.listens(port));
    placing.tproxyTo(port);
  }),
};
