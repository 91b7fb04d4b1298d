/** Ways from `audit run` to `audit serve`: a TCP connection through the path, or a command whose input and output lead there. */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { connect } from 'node:net';
import { type Channel, PipeChannel, TcpChannel } from './channel.js';
import { AuditError } from './protocol.js';

export interface Way {
  /** For whoever reads an error. */
  name: string;
  hint: string;
  /** How long the first line may take: somebody may have to type a password. */
  greetingMs: number;
  open(): Promise<Channel>;
}

export function tcpWay(address: string, port: number, greetingMs = 8000): Way {
  return {
    name: `to ${address}, port ${port}`,
    hint: 'is `desplice audit serve` running there, and does the path let this port through?',
    greetingMs,
    open: () =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: address, port });
        const timer = setTimeout(
          () => failed('SILENT', `no greeting within ${greetingMs / 1000} s`),
          greetingMs,
        );
        const failed = (code: string, why: string) => {
          clearTimeout(timer);
          socket.destroy();
          reject(new AuditError(code, why));
        };
        socket.once('error', (error: NodeJS.ErrnoException) =>
          failed('CONNECT', error.code ?? error.message),
        );
        socket.once('connect', () => {
          clearTimeout(timer);
          socket.removeAllListeners('error');
          resolve(new TcpChannel(socket));
        });
      }),
  };
}

/** A command for a shell, or the one that starts `serve` by ssh(1). */
export type Command = { exec: string } | { ssh: string };

/** Once the control connection is closed. */
const killMs = 2000;

/** @param address Of the other end on the path: the command knows only how to get there otherwise. */
export function commandWay(address: string, command: Command, greetingMs = 60_000): Way {
  const [program, args, name] =
    'exec' in command
      ? ['/bin/sh', ['-c', command.exec], command.exec]
      : ['ssh', ['-T', '--', command.ssh, 'desplice audit serve --control stdio'], `ssh ${command.ssh}`];
  return {
    name: `by \`${name}\``,
    hint: 'does the command end in `desplice audit serve --control stdio`, as root, and does it print nothing else?',
    greetingMs,
    async open() {
      const path = await pathTo(address);
      const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
      const ended = new Promise<string>((resolve) => {
        child.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
        child.once('exit', (code, signal) =>
          resolve(signal ? `the command was ended by ${signal}` : `the command ended with exit code ${code}`),
        );
      });
      const onClose = () => {
        // Its input has ended, which ends `serve`. Whoever does not look at it is told otherwise.
        setTimeout(() => child.kill(), killMs).unref();
        child.unref();
      };
      return new PipeChannel(child.stdout, child.stdin, { ...path, ended, onClose });
    },
  };
}

/** The two addresses that a packet to the other end would have. Connecting a UDP socket sends nothing. */
async function pathTo(host: string): Promise<{ localAddress: string; remoteAddress: string }> {
  const { address, family } = await lookup(host).catch((error: NodeJS.ErrnoException) => {
    throw new AuditError('CONNECT', `${host}: ${error.code}`);
  });
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.connect(9, address, resolve);
    });
    return { localAddress: socket.address().address, remoteAddress: address };
  } catch (error) {
    throw new AuditError('CONNECT', `no way to ${address}: ${(error as NodeJS.ErrnoException).code}`);
  } finally {
    socket.close();
  }
}
