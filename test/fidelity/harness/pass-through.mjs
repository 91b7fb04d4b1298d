// A handler that does what the relay does, by the streams of Node.js: FIN for FIN, reset for reset.
export default function passThrough({ client, server }) {
  client.pipe(server).pipe(client);
  client.on('error', () => server.resetAndDestroy());
  server.on('error', () => client.resetAndDestroy());
}
