import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Flow, Interception } from '../index.js';
import { UsageError } from '../policy/errors.js';
import { modulesOf, type RuleInput } from '../policy/rules.js';
import type { Reporter } from './reporter.js';

/** The default export of the module of `handle=MODULE`. */
export type FlowHandler = (flow: Flow) => void | Promise<void>;

/** By the name of the module. Those of rules that are gone stay: a connection may have been selected by one. */
export type Handlers = Map<string, FlowHandler>;

/** Loads every module that the rules name, so that a wrong one stops the start or the reload, not a flow. */
export async function loadHandlers(rules: readonly RuleInput[], handlers: Handlers): Promise<void> {
  for (const rule of rules) {
    if (rule.action === 'handle' && !rule.module) {
      throw new UsageError('the action handle names no module', 'write handle=MODULE');
    }
    for (const module of modulesOf(rule)) {
      if (!handlers.has(module)) handlers.set(module, await loadHandler(module));
    }
  }
}

async function loadHandler(name: string): Promise<FlowHandler> {
  const path = resolve(name);
  let module: { default?: unknown };
  try {
    module = (await import(pathToFileURL(path).href)) as { default?: unknown };
  } catch (error) {
    throw new UsageError(
      `loading the handler module ${path}: ${(error as Error).message}`,
      'name a JavaScript module (.mjs, or .js in a package of type module) with handle=MODULE',
    );
  }
  if (typeof module.default !== 'function') {
    throw new UsageError(
      `the handler module ${path} has no function as its default export`,
      'write `export default async function (flow) { … }`',
    );
  }
  return module.default as FlowHandler;
}

/** Calls the handler for every flow, side by side. */
export async function consume(
  interception: Interception,
  handlers: Handlers,
  reporter: Reporter,
): Promise<void> {
  for await (const flow of interception) void handleOne(flow, handlers, reporter);
}

async function handleOne(flow: Flow, handlers: Handlers, reporter: Reporter): Promise<void> {
  try {
    const handler = handlers.get(flow.module ?? '');
    // Too many reloads ago to know its rule.
    if (handler) await handler(flow);
    else await flow.relay();
  } catch (error) {
    // A handler that fails costs its own flow, never the engine.
    flow.reset();
    const why = error instanceof Error ? error.message : String(error);
    const message = `the handler failed on flow ${flow.id}, which is reset: ${why}`;
    reporter.log({ level: 'error', event: 'handlerFailed', message });
  }
}
