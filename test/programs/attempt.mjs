// Tries to connect once: `attempt.mjs HOST PORT [TIMEOUT_MS [LOCAL_PORT]]`. Prints {"outcome":"connected" or errno name,"ms":…}.
import net from 'node:net';

const [host, port, timeoutMs = '20000', localPort = '0'] = process.argv.slice(2);
const began = performance.now();
const socket = net.connect({ host, port: Number(port), localPort: Number(localPort) });
const finish = (outcome) => {
  console.log(JSON.stringify({ outcome, ms: Math.round(performance.now() - began) }));
  socket.destroy();
  clearTimeout(timer);
};
const timer = setTimeout(finish, Number(timeoutMs), 'no answer');
socket.once('connect', () => finish('connected'));
socket.once('error', (error) => finish(error.code));
