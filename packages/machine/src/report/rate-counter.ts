import { known } from '@mk/monitor-proto/assert';
import { INTERVALS_MOST } from './limits.ts';
import type { Rate } from './run-report.ts';

/** Counts what ends in each interval; intervals double when a run outgrows them. */
export class RateCounter {
  private everyMs = 50;
  private ok: number[] = [0];
  private failed: number[] = [0];

  add(atMs: number, ok: boolean, count = 1): void {
    const at = Math.max(0, atMs);
    while (at / this.everyMs >= INTERVALS_MOST) {
      this.everyMs *= 2;
      this.ok = halved(this.ok);
      this.failed = halved(this.failed);
    }
    const index = Math.floor(at / this.everyMs);
    while (this.ok.length <= index) {
      this.ok.push(0);
      this.failed.push(0);
    }
    const row = ok ? this.ok : this.failed;
    row[index] = known(row[index]) + count;
  }

  get rate(): Rate {
    return { every_ms: this.everyMs, ok: this.ok, failed: this.failed };
  }
}

function halved(row: readonly number[]): number[] {
  return Array.from({ length: Math.ceil(row.length / 2) }, (_, i) => known(row[2 * i]) + (row[2 * i + 1] ?? 0));
}
