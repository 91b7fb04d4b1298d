/** Options that two ordinary sockets cannot carry, by their kinds at IANA; an offer of AccECN by flags alone counts as 172. */
export const optionNames: Record<number, string> = {
  2: 'tinyMss',
  19: 'md5',
  29: 'tcpAo',
  30: 'mptcp',
  34: 'fastOpen',
  69: 'eno',
  172: 'accEcn',
  174: 'accEcn',
  253: 'experimental',
  254: 'experimental',
  // Behind the kinds of TCP: what the IP header holds.
  256: 'ipOptions',
  257: 'extensionHeaders',
};
