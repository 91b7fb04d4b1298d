import { spawn } from 'node:child_process';

/**
 * Tells systemd that the engine is ready (sd_notify(3)). Node has no AF_UNIX datagram sockets, so systemd's own tool
 * speaks; it sends with the process id of its parent when it may, so that `NotifyAccess=main` accepts it. A machine
 * without the tool does without the notice.
 */
export function notifySystemd(): void {
  if (!process.env.NOTIFY_SOCKET) return;
  const child = spawn('systemd-notify', ['--ready', `--pid=${process.pid}`], { stdio: 'ignore' });
  child.on('error', () => {});
  child.unref();
}
