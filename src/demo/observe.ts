/** One TCP socket as `ss -tnie` shows it. */
export interface SocketLine {
  local: string;
  peer: string;
  state: string;
  /** What tells that it behaves like the ends' own: MSS, window scales, smoothed round trip, bytes. */
  details: Record<string, string>;
}

const wanted = ['wscale', 'rtt', 'mss', 'cwnd', 'bytes_acked', 'bytes_received'];

/** `ss` prints a socket on one line and its TCP information on the next, indented. */
export function parseSockets(text: string): SocketLine[] {
  const sockets: SocketLine[] = [];
  for (const line of text.split('\n')) {
    if (/^\s/.test(line)) {
      const last = sockets.at(-1);
      if (last) last.details = parseDetails(line);
      continue;
    }
    const [state = '', , , local = '', peer = ''] = line.split(/\s+/);
    if (state !== '' && state !== 'State' && local.includes(':')) {
      sockets.push({ state, local, peer, details: {} });
    }
  }
  return sockets;
}

function parseDetails(line: string): Record<string, string> {
  const details: Record<string, string> = {};
  for (const item of line.trim().split(/\s+/)) {
    const [name = '', value = ''] = item.split(/:(.*)/s);
    if (wanted.includes(name)) details[name] = value;
  }
  return details;
}

/** The handshake as tcpdump saw it at one place. */
export interface SeenHandshake {
  clientSequence: number | null;
  serverSequence: number | null;
}

/** Takes the first SYN and the first SYN-ACK from the output of `tcpdump -nn -S`. */
export function parseHandshake(text: string): SeenHandshake {
  const sequence = (flags: string): number | null => {
    const found = new RegExp(`Flags \\[${flags}\\], seq (\\d+)`).exec(text);
    return found ? Number(found[1]) : null;
  };
  // E and W stand for ECN's flags in a SYN that offers it.
  return { clientSequence: sequence('S[EW]*'), serverSequence: sequence('S\\.[EW]*') };
}

/** What `curl --write-out` was asked for, see `curlFormat`. */
export interface Fetched {
  client: string;
  server: string;
  status: number;
  bytes: number;
  seconds: number;
}

export const curlFormat =
  '%{local_ip} %{local_port} %{remote_ip} %{remote_port} %{http_code} %{size_download} %{time_total}\\n';

export function parseFetched(line: string, endpoint: (address: string, port: string) => string): Fetched {
  const [ip = '', port = '', remote = '', remotePort = '', status = '', bytes = '', seconds = ''] = line
    .trim()
    .split(' ');
  return {
    client: endpoint(ip, port),
    server: endpoint(remote, remotePort),
    status: Number(status),
    bytes: Number(bytes),
    seconds: Number(seconds),
  };
}

/** The last percentage in what `curl --progress-bar` wrote so far. */
export function parsePercent(text: string): number | null {
  const all = [...text.matchAll(/([\d.]+)%/g)];
  const last = all.at(-1)?.[1];
  return last === undefined ? null : Number(last);
}
