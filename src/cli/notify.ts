import { spawn } from 'node:child_process';

/**
 * Tells systemd that the engine is ready (sd_notify(3)). Node has no AF_UNIX datagram sockets, so systemd's own tool
 * speaks; it sends with the process id of its parent when it may, so that `NotifyAccess=main` accepts it. A machine
 * without the tool does without the notice.
 */
export function notifySystemd(): void {
  void notify('--ready', `--pid=${process.pid}`);
}

/**
 * Tells it that another process is the service from now on. Resolves when systemd has heard it (the tool waits for that):
 * it would take the end of this process for the end of the service otherwise.
 */
export const notifySuccessor = (pid: number): Promise<void> => notify(`--pid=${pid}`, 'STATUS=replaced');

function notify(...args: string[]): Promise<void> {
  if (!process.env.NOTIFY_SOCKET) return Promise.resolve();
  return new Promise((resolve) => {
    const child = spawn('systemd-notify', args, { stdio: 'ignore' });
    child.once('error', () => resolve());
    child.once('exit', () => resolve());
    child.unref();
  });
}
