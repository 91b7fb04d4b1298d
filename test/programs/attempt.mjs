// Tries to connect once: `attempt.mjs HOST PORT [TIMEOUT_MS]`. Prints {"outcome":"connected" or errno name,"ms":…}.
import net from 'node:net';

const [host, port, timeoutMs = '20000'] = process.argv.slice(2);
const began = performance.now();
const socket = net.connect({ host, port: Number(port) });
const finish = (outcome) => {
  console.log(JSON.stringify({ outcome, ms: Math.round(performance.now() - began) }));
  socket.destroy();
  clearTimeout(timer);
};
const timer = setTimeout(finish, Number(timeoutMs), 'no answer');
socket.once('connect', () => finish('connected'));
socket.once('error', (error) => finish(error.code));
