/** From the worker to the main thread: a flow for a handler. */
import { close } from '../kernel/socket.js';
import type { FromWorker } from './messages.js';
import { CLIENT, SERVER, type TakenFlow } from './taken.js';

/** `copy`: of a descriptor, for the main thread to close. Throws KernelError with nothing left open. */
export function handOver(
  flow: TakenFlow,
  post: (message: FromWorker) => void,
  copy: (fd: number) => number,
): void {
  const { identity } = flow;
  const clientFd = copy(flow.fds[CLIENT]);
  let serverFd: number;
  try {
    serverFd = copy(flow.fds[SERVER]);
  } catch (error) {
    // It would keep the flow's reset from being sent.
    close(clientFd);
    throw error;
  }
  post({
    type: 'flow',
    id: flow.index,
    generation: flow.generation,
    name: flow.id,
    clientFd,
    serverFd,
    client: identity.endpoint(CLIENT),
    server: identity.endpoint(SERVER),
    handshake: identity.record(),
    rule: identity.rule,
    rules: identity.rules,
    module: flow.module,
    seen: flow.seen,
  });
}
