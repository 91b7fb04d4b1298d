// Says something piece by piece, and prints what came back. Argument: JSON with host, port, `pieces` (hex), gapMs (0), expect
// (bytes to wait for; 0: until the other end closes), listenMs: at most so long.
// Prints {"got":hex,"ended":"end", errno name or "open"}.
import net from 'node:net';

const { host, port, pieces, gapMs = 0, expect = 0, listenMs = 10_000 } = JSON.parse(process.argv[2]);
const socket = net.connect({ host, port, noDelay: true });
const got = [];
const finish = (ended) => {
  clearTimeout(timer);
  console.log(JSON.stringify({ got: Buffer.concat(got).toString('hex'), ended }));
  process.exit();
};
const timer = setTimeout(finish, listenMs, 'open');
socket.on('connect', () => {
  const say = (i) => {
    if (i === pieces.length) return;
    socket.write(Buffer.from(pieces[i], 'hex'));
    setTimeout(say, gapMs, i + 1);
  };
  say(0);
});
socket.on('data', (chunk) => {
  got.push(chunk);
  if (expect > 0 && Buffer.concat(got).length >= expect) finish('open');
});
socket.on('end', () => finish('end'));
socket.on('error', (error) => finish(error.code));
