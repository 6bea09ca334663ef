import vm from 'node:vm';
import type { ContextHandle } from '@mk/libmk/dispatcher/context/context-main';
import { known } from '@mk/monitor-proto/assert';

/**
 * Makes a context with only the language's built-ins. `handle` is the core's way in, once `script`, the dispatcher's
 * own text, has run in it.
 */
export function bareContext(script: vm.Script): { readonly context: vm.Context; readonly handle: ContextHandle } {
  const world: { readonly mkContext?: ContextHandle } = Object.create(null);
  const context = vm.createContext(world, {
    microtaskMode: 'afterEvaluate',
    codeGeneration: { strings: false, wasm: true },
  });
  script.runInContext(context);
  return { context, handle: known(world.mkContext, 'mkContext') };
}
