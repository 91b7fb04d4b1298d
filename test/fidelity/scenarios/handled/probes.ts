/** Flows in the hands of a handler: whether an end is there is still asked of that end, not of the middle. */
import type { Scenario } from '../../harness/scenario.js';
import resets from '../ends/client-resets-idle.js';
import halfClose from '../ends/half-close-by-client.js';
import resetsBehindLoss from '../ends/resets-behind-loss.js';
import dataGone from '../liveness/data-server-gone.js';
import answered from '../liveness/keep-alive-answered.js';
import clientGone from '../liveness/keep-alive-client-gone.js';
import reachesServer from '../liveness/keep-alive-reaches-server.js';
import serverGone from '../liveness/keep-alive-server-gone.js';
import linksDown from '../liveness/link-down-idle.js';
import userTimeout from '../liveness/user-timeout-keep-alive.js';
import windowClosed from '../liveness/window-closed-for-long.js';
import windowGone from '../liveness/window-closed-server-gone.js';
import keepAlive from '../segments/keep-alive.js';

const scenarios: Scenario[] = [
  answered,
  clientGone,
  dataGone,
  halfClose,
  keepAlive,
  reachesServer,
  resets,
  serverGone,
  userTimeout,
  windowClosed,
  windowGone,
  ...linksDown,
  ...resetsBehindLoss,
];

export default scenarios.map((each) => ({
  ...each,
  name: `handled-${each.name}`,
  group: 'handled',
  rule: 'handle' as const,
}));
