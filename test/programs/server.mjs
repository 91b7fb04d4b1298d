// A TCP server with manners to choose. Argument: JSON with
//   port, mode:
//   exchange  sends `send` bytes when: `connect`, `data` (the first byte) or `fin`; checks what it gets; after the FIN of
//             the client says what it got. `pauseMs`: reads nothing for so long; `untilTold`: before SIGHUP; `pace`
//             as for the client.
//   echo      sends back what it gets
//   greet     says `greeting` first
//   short     answers the first bytes with 100 bytes; `closer`: who closes, `server` or `client`
//   reset     answers the first bytes with a reset
//   sink      counts how connections end
// Prints {"listening":port}, and on SIGUSR2 a line with what it has seen.
import net from 'node:net';
import { Checker, clientSeed, pattern, reset, send, serverSeed, trailerBytes } from './pattern.mjs';

const options = { send: 0, when: 'connect', pauseMs: 0, closer: 'server', ...JSON.parse(process.argv[2]) };
const expected = pattern(clientSeed);
const mine = pattern(serverSeed);
const seen = { connections: 0, ended: 0, errors: {}, accepted: [], bytes: 0 };
const answer = Buffer.alloc(100, 'a');

const modes = {
  exchange(socket) {
    const checker = new Checker(expected);
    let started = false;
    let sent = false;
    let finished = false;
    const sample = { at: [] };
    const begin = () => {
      if (started) return;
      started = true;
      send(socket, mine, options.send, {
        pace: options.pace && { ...options.pace, seed: options.pace.seed + socket.remotePort },
        onAccepted: (n) => {
          sample.last = n;
        },
        done: () => {
          sent = true;
          last();
        },
      });
    };
    const last = () => {
      if (!sent || !finished) return;
      const words = JSON.stringify({ received: checker.received, bad: checker.bad });
      socket.end(words.padEnd(trailerBytes));
    };
    if (options.when === 'connect') begin();
    socket.on('data', (chunk) => {
      checker.add(chunk);
      seen.bytes += chunk.length;
      if (options.when === 'data') begin();
    });
    socket.on('end', () => {
      finished = true;
      begin();
      last();
    });
    if (options.untilTold) {
      socket.pause();
      process.once('SIGHUP', () => socket.resume());
    }
    if (options.pauseMs > 0) {
      socket.pause();
      setTimeout(() => socket.resume(), options.pauseMs);
    }
    if (options.sample) {
      const timer = setInterval(() => sample.at.push(sample.last ?? 0), 500);
      socket.on('close', () => clearInterval(timer));
      seen.accepted.push(sample.at);
    }
  },
  greet(socket) {
    socket.write(options.greeting);
    socket.on('end', () => socket.end());
    socket.resume();
  },
  echo(socket) {
    socket.pipe(socket);
  },
  short(socket) {
    socket.once('data', () => {
      if (options.closer === 'server') socket.end(answer);
      else socket.write(answer);
    });
    socket.on('end', () => socket.end());
    socket.resume();
  },
  reset(socket) {
    socket.once('data', () => reset(socket));
  },
  sink(socket) {
    socket.on('data', (chunk) => {
      seen.bytes += chunk.length;
    });
    socket.on('end', () => socket.end());
  },
};

const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  seen.connections++;
  socket.on('error', (error) => {
    seen.errors[error.code] = (seen.errors[error.code] ?? 0) + 1;
  });
  socket.on('close', (failed) => {
    if (!failed) seen.ended++;
  });
  modes[options.mode](socket);
});
server.listen({ port: options.port, host: '::', backlog: 4096 }, () => {
  console.log(JSON.stringify({ listening: server.address().port }));
});
process.on('SIGUSR2', () => console.log(JSON.stringify({ seen })));
