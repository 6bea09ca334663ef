import { ENDING } from '@mk/monitor-proto/io/ending-signals';
import { afterOutput } from './standard-output.ts';

/** What to do on the first Ctrl-C, on the second, and when this process ends in whatever way. */
export interface InterruptHandlers {
  first(): void;
  second(): void;
  last(): void;
}

/** Counts signals that ask for an end; the returned function stops it. */
export function onInterrupts({ first, second, last }: InterruptHandlers): () => void {
  let count = 0;
  const heard = (): void => {
    count += 1;
    if (count === 1) first();
    else if (count === 2) second();
  };
  for (const name of ENDING) process.on(name, heard);
  process.on('exit', last);
  // A reader that went away (`mk-launch | head`) is no reason to die half-way: the cluster ends in order.
  const release = afterOutput(heard);
  return () => {
    for (const name of ENDING) process.off(name, heard);
    process.off('exit', last);
    release();
  };
}
