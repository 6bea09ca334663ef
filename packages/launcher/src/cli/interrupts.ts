import { ENDING } from '@mk/monitor-proto/io/ending-signals';
import { afterOutput } from './standard-output.ts';

/** Handlers for the first Ctrl-C, for the second, and for the end of this process, however it comes. */
export interface InterruptHandlers {
  first(): void;
  second(): void;
  last(): void;
}

/** Counts signals that ask for an end; the returned function stops the counting. */
export function onInterrupts({ first, second, last }: InterruptHandlers): () => void {
  let count = 0;
  const heard = (): void => {
    count += 1;
    if (count === 1) first();
    else if (count === 2) second();
  };
  for (const name of ENDING) process.on(name, heard);
  process.on('exit', last);
  // A reader that has gone (`mk-launch | head`) must not kill the launcher half-way: the cluster ends in order.
  const release = afterOutput(heard);
  return () => {
    for (const name of ENDING) process.off(name, heard);
    process.off('exit', last);
    release();
  };
}
