// A client that half-closes behind its data and resets half a second later; or (`listen`) a server that keeps its side
// open and says when it sees the end. Argument: JSON with host, port, listen. Prints one JSON object a line.
import net from 'node:net';

const { host, port, listen } = JSON.parse(process.argv[2]);
const say = (value) => console.log(JSON.stringify(value));

if (listen) {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.resume();
    socket.on('end', () => say({ saw: 'end' }));
    socket.on('error', () => {});
  });
  server.listen(port, '::', () => say({ listening: port }));
  process.on('SIGTERM', () => process.exit(0));
} else {
  const socket = net.connect({ host, port, allowHalfOpen: true }, () => socket.end('some data'));
  socket.on('finish', () => setTimeout(() => socket.resetAndDestroy(), 500));
  socket.on('close', () => say({ closed: true }));
}
