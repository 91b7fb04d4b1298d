/** What carries the control connection: TCP through the path, or the input and output of a command, past it. */
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { tcpInfo } from '../kernel/tcp_info.js';

export interface Channel {
  /** On the path that is audited; '' where what carries the bytes does not take it, and so does not know. */
  readonly localAddress: string;
  readonly remoteAddress: string;
  write(text: string): void;
  /** Called once. `gone` is told why, once, and not when this side closes. */
  listen(text: (piece: string) => void, gone: (why: string) => void): void;
  /** How many segments of it the path has lost in this direction: 0 where it takes another way. */
  losses(): number;
  close(): void;
  /** Once what was written is gone, whatever the other end does. */
  closeSoon(): void;
}

/** As text without what a dual-stack socket puts in front of IPv4 (RFC 4291 section 2.5.5.2). */
const plainAddress = (address: string | undefined): string =>
  (address ?? '').replace(/^::ffff:(?=\d+\.)/, '');

export class TcpChannel implements Channel {
  readonly localAddress: string;
  readonly remoteAddress: string;
  #closed = false;

  constructor(readonly socket: Socket) {
    this.localAddress = plainAddress(socket.localAddress);
    this.remoteAddress = plainAddress(socket.remoteAddress);
    socket.setNoDelay(true).setEncoding('utf8');
  }

  write(text: string): void {
    if (!this.socket.destroyed) this.socket.write(text);
  }

  listen(text: (piece: string) => void, gone: (why: string) => void): void {
    const tell = onceUntil(() => this.#closed, gone);
    this.socket.on('data', text);
    this.socket.on('error', (error: NodeJS.ErrnoException) => tell(error.code ?? error.message));
    this.socket.on('close', () => tell('it was closed'));
  }

  /**
   * What was sent again and had not arrived before: a machine that is busy answers late. Node.js has no words for it, but the handle
   * of a TCP socket knows its descriptor. 0 when it is closed.
   */
  losses(): number {
    const fd = (this.socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd;
    const info = fd === undefined || fd < 0 ? null : tcpInfo(fd);
    return info === null || typeof info === 'number' ? 0 : Math.max(0, info.retransmissions - info.needless);
  }

  close(): void {
    this.#closed = true;
    this.socket.destroy();
  }

  closeSoon(): void {
    this.#closed = true;
    this.socket.destroySoon();
  }
}

export interface PipeOptions {
  localAddress?: string;
  remoteAddress?: string;
  /** Why the other side of the pipes ended, for whoever knows; the pipes themselves say only that they did. */
  ended?: Promise<string>;
  onClose?: () => void;
}

/** How long whoever knows may take to say why a pipe has ended. */
const reasonMs = 1000;

export class PipeChannel implements Channel {
  readonly localAddress: string;
  readonly remoteAddress: string;
  #closed = false;

  constructor(
    readonly input: Readable,
    readonly output: Writable,
    readonly options: PipeOptions = {},
  ) {
    this.localAddress = options.localAddress ?? '';
    this.remoteAddress = options.remoteAddress ?? '';
    input.setEncoding('utf8');
    output.on('error', () => {});
  }

  write(text: string): void {
    if (!this.#closed && this.output.writable) this.output.write(text);
  }

  listen(text: (piece: string) => void, gone: (why: string) => void): void {
    const tell = onceUntil(() => this.#closed, gone);
    const ended = async (what: string) => {
      const late = new Promise<string>((resolve) => setTimeout(() => resolve(what), reasonMs).unref());
      tell(await Promise.race([this.options.ended ?? what, late]));
    };
    this.input.on('data', text);
    this.input.on('error', (error: NodeJS.ErrnoException) => void ended(error.code ?? error.message));
    this.input.on('end', () => void ended('it was closed'));
    this.output.on('error', (error: NodeJS.ErrnoException) => void ended(error.code ?? error.message));
    void this.options.ended?.then(tell);
  }

  losses(): number {
    return 0;
  }

  close(): void {
    this.#closed = true;
    this.output.end();
    this.input.destroy();
    this.options.onClose?.();
  }

  closeSoon(): void {
    this.close();
  }
}

function onceUntil(over: () => boolean, gone: (why: string) => void): (why: string) => void {
  let told = false;
  return (why) => {
    if (told || over()) return;
    told = true;
    gone(why);
  };
}
