// Measures a path with UDP. {"mode":"echo","port":P}: sends each packet back to where it came from.
// {"mode":"ping","host":H,"port":P,"count":N,"everyMs":M,"bytes":B,"waitMs":W}: sends N numbered packets and prints what came back:
// {"numbers":[…in the order of arrival…],"ms":[…round trips…]}.
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

const { mode, host, port, count = 1, everyMs = 1, bytes = 100, waitMs = 1000 } = JSON.parse(process.argv[2]);

if (mode === 'echo') {
  const socket = createSocket({ type: 'udp6', recvBufferSize: 1 << 22 });
  socket.on('message', (data, { address, port: from }) => socket.send(data, from, address));
  socket.bind(port, () => console.log(JSON.stringify({ listening: port })));
} else {
  const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', recvBufferSize: 1 << 22 });
  const numbers = [];
  const ms = [];
  socket.on('message', (data) => {
    numbers.push(data.readUInt32BE(0));
    ms.push(performance.now() - data.readDoubleBE(4));
  });
  const start = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (; sent < count && performance.now() >= start + sent * everyMs; sent++) {
      const data = Buffer.alloc(bytes);
      data.writeUInt32BE(sent, 0);
      data.writeDoubleBE(performance.now(), 4);
      socket.send(data, port, host);
    }
    if (sent < count) return;
    clearInterval(timer);
    setTimeout(() => {
      console.log(JSON.stringify({ numbers, ms }));
      socket.close();
    }, waitMs);
  }, 1);
}
