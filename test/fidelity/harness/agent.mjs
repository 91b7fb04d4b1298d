// Lives in the namespace of one end and makes the system calls that the harness asks for, one JSON object per line:
//   {"id":1,"call":"send","args":[…]}   answered by   {"id":1,"value":…}   or, when the agent itself is wrong, {"id":1,"broken":"…"}
// A call that the kernel refused is answered by a negative number, -errno. Frames for raw ends come as {"frame":"hex"}.
import { execFile } from 'node:child_process';
import dgram from 'node:dgram';
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { firstWrong, patternBytes } from '../../../dist/audit/pattern.js';
import { leaseFlowLabel } from '../../../dist/kernel/flow_label.js';
import { frameSocket, receiveFrame, sendFrame } from '../../../dist/kernel/frame_socket.js';
import * as host from '../../../dist/kernel/host_socket.js';
import { close, unacknowledged, unread } from '../../../dist/kernel/socket.js';
import { tcpInfo } from '../../../dist/kernel/tcp_info.js';
import { formatAddress, parseAddress } from '../../../dist/wire/address.js';

const EAGAIN = -11;
const EINPROGRESS = -115;
/** Not an errno: the call did not come back in time. */
const TIMEOUT = -9999;

const buffer = new Uint8Array(1 << 18);
const now = () => performance.now();

const calls = {
  socket: (family, protocol) => host.hostSocket(family, protocol),
  md5Key: (fd, family, address, key) => host.setMd5Key(fd, family, parseAddress(address), Buffer.from(key)),
  bind: (fd, family, address, port) => host.hostBind(fd, family, parseAddress(address), port),
  listen: (fd, backlog) => host.hostListen(fd, backlog),
  shutdown: (fd, how) => host.hostShutdown(fd, how),
  close: (fd) => close(fd) ?? 0,
  setOption: (fd, option, ...values) => host.setHostOption(fd, option, ...values),
  getOption: (fd, option) => host.getHostOption(fd, option),
  unread: (fd) => unread(fd),
  unacknowledged: (fd) => unacknowledged(fd),
  error: (fd) => host.pendingError(fd),
  info: (fd) => tcpInfo(fd),
  atMark: (fd) => host.atUrgentMark(fd),
  flowLabel: (fd, address, label) => leaseFlowLabel(fd, parseAddress(address), label),
  name: (fd, peer) => {
    const name = host.socketName(fd, peer);
    return typeof name === 'number' ? name : { address: formatAddress(name.address), port: name.port };
  },

  async accept(fd, ms) {
    return retry(fd, 'read', ms, () => host.hostAccept(fd));
  },

  async connect(fd, family, address, port, flowLabel, ms) {
    const result = host.hostConnect(fd, family, parseAddress(address), port, flowLabel);
    if (result !== EINPROGRESS) return result;
    return (await host.whenReady(fd, 'write', ms)) ? host.pendingError(fd) : TIMEOUT;
  },

  /** Connects by sendto(2) with MSG_FASTOPEN and bytes 0 to `count` of the stream: how many of them went along. */
  async connectWithData(fd, family, address, port, count, seed, ms) {
    const data = patternBytes(seed, 0, count);
    const { MSG_FASTOPEN } = host.messageFlags;
    const result = host.hostSendTo(fd, data, MSG_FASTOPEN, family, parseAddress(address), port);
    if (result !== EINPROGRESS) return result;
    if (!(await host.whenReady(fd, 'write', ms))) return TIMEOUT;
    return host.pendingError(fd);
  },

  /** Sends bytes `offset` to `offset + count` of the stream `seed`: how many the kernel took, and what stopped it. */
  async send(fd, count, seed, offset, flags, ms) {
    const deadline = now() + ms;
    let sent = 0;
    while (sent < count) {
      const piece = patternBytes(seed, offset + sent, Math.min(65_536, count - sent));
      const n = host.hostSend(fd, piece, flags);
      if (n >= 0) sent += n;
      else if (n !== EAGAIN) return { bytes: sent, error: n };
      else if (!(await host.whenReady(fd, 'write', Math.max(0, deadline - now())))) {
        return { bytes: sent, error: TIMEOUT };
      }
    }
    return { bytes: sent, error: 0 };
  },

  /** Reads until `count` bytes are there, or the end. `wrong`: the first byte that is not the stream's, or -1. */
  async receive(fd, count, seed, offset, flags, ms) {
    const deadline = now() + ms;
    const most = count ?? Number.MAX_SAFE_INTEGER;
    let bytes = 0;
    let wrong = -1;
    while (bytes < most) {
      const n = host.hostReceive(fd, buffer, flags, Math.min(buffer.length, most - bytes));
      if (n === 0) return { bytes, wrong, end: 'EOF' };
      if (n > 0) {
        if (wrong < 0) wrong = firstWrong(seed, offset + bytes, buffer.subarray(0, n));
        bytes += n;
      } else if (n !== EAGAIN) return { bytes, wrong, end: n };
      else if (!(await host.whenReady(fd, 'read', Math.max(0, deadline - now())))) {
        return { bytes, wrong, end: TIMEOUT };
      }
    }
    return { bytes, wrong, end: 'enough' };
  },

  async urgentByte(fd, ms) {
    const n = await retry(fd, 'urgent', ms, () => {
      const got = host.hostReceive(fd, buffer, host.messageFlags.MSG_OOB, 1);
      // EINVAL: no urgent byte is announced yet.
      return got === -22 ? EAGAIN : got;
    });
    return n === 1 ? { byte: buffer[0] } : n;
  },

  /** The connection's state, once it is one of `states`; what it is when time is up. */
  async state(fd, states, ms) {
    const deadline = now() + ms;
    for (;;) {
      const info = tcpInfo(fd);
      if (typeof info === 'number') return info;
      if (states.includes(info.state) || now() > deadline) return info.state;
      await sleep(2);
    }
  },

  sleep: (ms) => sleep(ms),
  sysctl(path, value) {
    const file = `/proc/sys/net/${path}`;
    const before = readFileSync(file, 'utf8').trim();
    if (value !== undefined) writeFileSync(file, String(value));
    return before;
  },
  /** What `ss` says of the connections to this server port; `side`: `sport`, `dport` or both. */
  sockets: (port, ...sides) =>
    new Promise((resolve, reject) => {
      const filter = ['-Htano', `( ${sides.map((side) => `${side} = :${port}`).join(' or ')} )`];
      execFile('ss', filter, (error, stdout) => (error ? reject(error) : resolve(stdout)));
    }),
  /** The same with what TCP_INFO says, one line a socket. */
  socketDetails: (filter) =>
    new Promise((resolve, reject) => {
      execFile('ss', ['-HtinO', filter], (error, stdout) => (error ? reject(error) : resolve(stdout)));
    }),
  /** Runs nft with these commands; what it prints. */
  nft: (commands) =>
    new Promise((resolve, reject) => {
      const child = execFile('nft', ['-f', '-'], (error, stdout) =>
        error ? reject(error) : resolve(stdout),
      );
      child.stdin.end(commands);
    }),
  ip: (...args) =>
    new Promise((resolve, reject) => {
      execFile('ip', args, (error, stdout) => (error ? reject(error) : resolve(stdout)));
    }),
  /** Path MTUs that this host has learned. */
  forgetPaths: () =>
    new Promise((resolve, reject) => {
      writeFileSync('/proc/sys/net/ipv4/route/flush', '1');
      const flush = ['-6', 'route', 'flush', 'cache'];
      execFile('ip', flush, (error) => (error ? reject(error) : resolve(0)));
    }),
  /** A datagram that says in the capture: all that was before is before. Nobody listens to it. */
  marker: (address, text) =>
    new Promise((resolve, reject) => {
      markerSocket.send(text, 9, address, (error) => (error ? reject(error) : resolve(0)));
    }),

  mac: (device) => readFileSync(`/sys/class/net/${device}/address`, 'utf8').trim(),
  rawOpen(device) {
    const fd = frameSocket(device);
    frames.add(fd);
    void forward(fd);
    return fd;
  },
  rawSend: (fd, hex) => sendFrame(fd, Buffer.from(hex, 'hex')) ?? 0,
  rawClose(fd) {
    frames.delete(fd);
    return 0;
  },
};

const markerSocket = dgram.createSocket('udp4');
const frames = new Set();

/** Passes frames on until the socket is taken out of `frames`. */
async function forward(fd) {
  while (frames.has(fd)) {
    const length = receiveFrame(fd, buffer);
    if (length === null) await host.whenReady(fd, 'read', 200);
    else say({ frame: Buffer.from(buffer.subarray(0, length)).toString('hex'), fd });
  }
  close(fd);
}

async function retry(fd, what, ms, call) {
  const deadline = now() + ms;
  for (;;) {
    const result = call();
    if (result !== EAGAIN) return result;
    if (!(await host.whenReady(fd, what, Math.max(0, deadline - now())))) return TIMEOUT;
  }
}

function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms, 0));
}

function say(object) {
  process.stdout.write(`${JSON.stringify(object)}\n`);
}

createInterface({ input: process.stdin })
  .on('line', async (line) => {
    const { id, call, args } = JSON.parse(line);
    try {
      say({ id, value: await calls[call](...args) });
    } catch (error) {
      say({ id, broken: String(error?.stack ?? error) });
    }
  })
  .on('close', () => process.exit(0));
say({ id: 0, value: 'ready' });
