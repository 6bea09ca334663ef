import type { Chapter } from '../tour.ts';

/** The output of `shared-frame --json`. */
interface Seen {
  readonly writer: number;
  readonly value: number;
  readonly read: readonly number[];
  readonly faults: readonly number[];
}

export const SHARED_FRAME: Chapter = {
  title: 'Memory: one frame mapped on every core, written on one, read on all, unmapped everywhere',
  async run(tour) {
    if (tour.session.config.isolation === 'process') {
      tour.say('left out: with --isolation process a program does not share memory');
      return;
    }
    const all = Array.from({ length: tour.cores }, (_, core) => core);
    const { ok, lines } = await tour.program('shared-frame', all, ['--json']);
    const seen: Partial<Seen> = JSON.parse(lines.findLast(({ text }) => text.startsWith('{'))?.text ?? '{}');
    const on = (cores: readonly number[] = []): boolean => all.every((core) => cores.includes(core));
    tour.say(`a domain spans ${tour.cores} cores; core ${seen.writer ?? '?'} writes ${seen.value ?? 'nothing'}`);
    tour.check(`${seen.read?.length ?? 0} of ${tour.cores} cores read it`, on(seen.read));
    tour.check(
      `when unmap has returned, reading and writing fault on ${seen.faults?.length ?? 0} of ${tour.cores} cores`,
      ok && on(seen.faults),
    );
  },
};
