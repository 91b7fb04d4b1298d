/** From the worker to the main thread: a flow for a handler. */
import type { FromWorker } from './messages.js';
import { CLIENT, SERVER, type TakenFlow } from './taken.js';

export function handOver(flow: TakenFlow, post: (message: FromWorker) => void): void {
  const { identity } = flow;
  post({
    type: 'flow',
    id: flow.index,
    generation: flow.generation,
    name: flow.id,
    clientFd: flow.fds[CLIENT],
    serverFd: flow.fds[SERVER],
    client: identity.endpoint(CLIENT),
    server: identity.endpoint(SERVER),
    handshake: identity.record(),
    rule: identity.rule,
    rules: identity.rules,
    module: flow.module,
    seen: flow.seen,
  });
}
