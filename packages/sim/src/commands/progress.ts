import { SECOND } from '@mk/monitor-proto/ids';
import type { SimObserver } from '../engine/simulation-options.ts';
import { counted } from '@mk/machine/counted';

/** `12 of 500 seeds, 0 failed, done in about 40 s`; the time is left out until a seed is done. */
export function progressText(done: number, of: number, failed: number, elapsedMs: number): string {
  const text = `${done} of ${counted(of, 'seed')}, ${failed} failed`;
  return done === 0 || done >= of ? text : `${text}, done in about ${roughly((elapsedMs / done) * (of - done))}`;
}

/** After this time the first word, and so often another. */
const TELL_EVERY_MS = 1000;

/** Says how far a single run is: long ones tell nothing else before their end. */
export function runProgress(tell: (text: string) => void, wallMs: () => number): SimObserver {
  let next = wallMs() + TELL_EVERY_MS;
  return {
    step(_node, _event, startedAt) {
      const now = wallMs();
      if (now < next) return;
      next = now + TELL_EVERY_MS;
      tell(`${(startedAt / SECOND).toFixed(1)} s of virtual time`);
    },
  };
}

function roughly(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 100 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
