// Keeps connections to an echo server busy and says when they end. Argument: JSON with host, port, flows.
// Prints {"busy":flows} when each has had an answer; with `probe`, in its own time {"probe":"ok" or why,"at":…} for a
// connection tried every 100 ms; on SIGUSR2 {"ended":[{"how":"end" or errno name,"at":…,"port":local port}],"answers":reads
// with data}. Times: ms since the epoch. `everyMs` (50): how often each says something.
import net from 'node:net';

const { host, port, flows, probe = false, everyMs = 50 } = JSON.parse(process.argv[2]);
const ended = [];
let answered = 0;
let answers = 0;

for (let i = 0; i < flows; i++) {
  const socket = net.connect({ host, port, noDelay: true });
  let first = true;
  let localPort = 0;
  socket.on('connect', () => {
    localPort = socket.localPort;
  });
  const timer = setInterval(() => socket.write(Buffer.alloc(1000, 'x')), everyMs);
  socket.once('connect', () => socket.write(Buffer.alloc(1000, 'x')));
  const finish = (how) => {
    clearInterval(timer);
    if (socket.over) return;
    socket.over = true;
    ended.push({ how, at: Date.now(), port: localPort });
  };
  socket.on('data', () => {
    answers++;
    if (!first) return;
    first = false;
    if (++answered === flows) console.log(JSON.stringify({ busy: flows }));
  });
  socket.on('end', () => finish('end'));
  socket.on('error', (error) => finish(error.code));
}

function tryOnce() {
  const socket = net.connect({ host, port });
  const finish = (why) => {
    clearTimeout(timer);
    socket.destroy();
    console.log(JSON.stringify({ probe: why, at: Date.now() }));
  };
  const timer = setTimeout(finish, 500, 'no answer');
  socket.once('connect', () => socket.write('probe'));
  socket.once('data', () => finish('ok'));
  socket.once('error', (error) => finish(error.code));
}

// Alive also when every connection has ended.
setInterval(() => {}, 1000);
if (probe) setInterval(tryOnce, 100);
process.on('SIGUSR2', () => console.log(JSON.stringify({ ended, answers })));
