// Connects to an echo server at once and speaks when it is told to. Argument: JSON with host, ports.
// Prints {"connected":n}; on SIGHUP sends `hello` on every connection, waits for as many answers that end in it, and
// prints {"answers":{port:text}}. Keeps the connections until SIGTERM.
import net from 'node:net';

const { host, ports } = JSON.parse(process.argv[2]);
const sockets = await Promise.all(
  ports.map(
    (port) =>
      new Promise((resolve, reject) => {
        const socket = net.connect({ host, port, noDelay: true }, () => resolve(socket));
        socket.on('error', reject);
      }),
  ),
);
process.on('SIGHUP', async () => {
  const answers = await Promise.all(
    sockets.map(
      (socket) =>
        new Promise((resolve) => {
          let text = '';
          socket.on('data', (chunk) => {
            text += chunk.toString('latin1');
            if (text.endsWith('hello')) resolve(text);
          });
          socket.write('hello');
        }),
    ),
  );
  console.log(JSON.stringify({ answers: Object.fromEntries(ports.map((port, i) => [port, answers[i]])) }));
});
console.log(JSON.stringify({ connected: sockets.length }));
