/** Routers that carry no connection themselves, and change packets nevertheless. */
import type { Ports } from '../wiretap.js';
import { type Box, firstLine, needs } from './box.js';
import { placed } from './placing.js';

function ruled(
  name: string,
  what: string,
  documentation: readonly string[],
  rules: (ports: Ports) => string,
  sysctls: Record<string, string> = {},
): Box {
  return {
    name,
    what,
    documentation,
    missing: needs({ nft: 'nftables' }),
    version: () => firstLine('nft', '--version'),
    start: placed(async (placing) => {
      placing.rules(rules(placing.ports));
      // Some of them are there only once the rules have loaded their module.
      for (const [name, value] of Object.entries(sysctls)) placing.sysctl(name, value);
    }),
  };
}

export const mssClamp = ruled(
  'mss-clamp',
  'nftables, MSS clamped to 1200',
  ['https://wiki.nftables.org/wiki-nftables/index.php/Mangling_packet_headers'],
  () =>
    'chain c { type filter hook forward priority 0; tcp flags syn tcp option maxseg size > 1200 tcp option maxseg size set 1200; }',
);

export const noIcmp = ruled(
  'no-icmp',
  'nftables, all ICMP dropped',
  [],
  () => 'chain c { type filter hook forward priority 0; meta l4proto { icmp, ipv6-icmp } drop; }',
);

/** Both families, for a card that verifies checksums: nft_synproxy_do_eval() of the kernel calls nf_ip_checksum() for either. */
const checksums =
  'over IPv6 the kernel drops a SYN whose checksum no network card has verified, as those by hand';

export const synproxy: Box = {
  ...ruled(
    'synproxy',
    'nftables, synproxy mss 1460 wscale 7 timestamp sack-perm',
    ['nft(8), SYNPROXY STATEMENT', 'https://wiki.nftables.org/wiki-nftables/index.php/Synproxy'],
    ({ first, last }) => `chain raw {
      type filter hook prerouting priority raw;
      iifname toclient tcp dport ${first}-${last} tcp flags syn notrack
    }
    chain c {
      type filter hook forward priority 0;
      iifname toclient tcp dport ${first}-${last} ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
      ct state invalid drop
    }`,
    // The ACK of a cookie must not pass for one in mid-connection.
    {
      'net.netfilter.nf_conntrack_tcp_loose': '0',
      'net.ipv4.tcp_syncookies': '1',
      'net.ipv4.tcp_timestamps': '1',
    },
  ),
  lacks: { 6: checksums },
};
