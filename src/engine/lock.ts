/**
 * One engine a network namespace, since rules, routes and sysctls are the namespace's. An abstract Unix socket belongs
 * to it, too, and dies with its last holder. By the same socket an engine that is to replace another one finds it.
 */
import net from 'node:net';
import { EngineError } from './errors.js';

const NAME = '\0desplice';

/** Takes the lock. Whoever connects is turned away until somebody listens for 'connection'. */
export function lockNamespace(): Promise<net.Server> {
  return listening((server) => server.listen(NAME));
}

/** Shares a lock that another process holds: `fd` is a copy of its socket. */
export const shareLock = (fd: number): Promise<net.Server> => listening((server) => server.listen({ fd }));

function listening(listen: (server: net.Server) => void): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('connection', (socket) => {
      if (server.listenerCount('connection') === 1) socket.destroy();
    });
    server.unref();
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === 'EADDRINUSE'
          ? new EngineError(
              'BUSY',
              'another engine is running in this network namespace',
              'stop it first, or take its place with --replace; one engine can watch all interfaces',
            )
          : new EngineError('LOCK', `the lock of this network namespace: ${cause.message}`, undefined, {
              cause,
            }),
      );
    });
    server.once('listening', () => resolve(server));
    listen(server);
  });
}

/** A connection to whoever holds the lock; null: nobody does. */
export function connectToHolder(): Promise<net.Socket | null> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(NAME);
    socket.once('connect', () => {
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ECONNREFUSED' || cause.code === 'ENOENT') resolve(null);
      else
        reject(
          new EngineError('LOCK', `the lock of this network namespace: ${cause.message}`, undefined, {
            cause,
          }),
        );
    });
  });
}

/** The descriptor of a socket of node's; -1: it is closed. */
export const descriptorOf = (socket: net.Socket | net.Server): number =>
  (socket as unknown as { _handle: { fd: number } | null })._handle?.fd ?? -1;
