import { isRecord } from '@mk/monitor-proto/guards';
import type { Chapter } from '../tour.ts';

/** Enough cores for the bank and the map-reduce. */
const SOME = 8;

export const PROGRAMS: Chapter = {
  title: 'Programs: isolated user code on the cores, the same files as on virtual time (mk-launch sim run)',
  async run(tour) {
    const all = Array.from({ length: tour.cores }, (_, core) => core);
    const some = all.slice(0, SOME);
    const hello = await tour.program('hello', all, []);
    const said = new Set(hello.lines.map(({ core }) => core));
    tour.say(`hello: ${hello.lines.at(-1)?.text ?? 'nothing'}`);
    tour.check(`hello was said on ${said.size} of ${tour.cores} cores`, hello.ok && said.size === tour.cores);
    const ring = await tour.program('ring', all, ['--rounds', '3']);
    tour.say(ring.lines.at(-1)?.text ?? 'the ring printed nothing');
    tour.check(
      `a token went 3 times round ${tour.cores} cores`,
      ring.ok && ring.lines.some(({ text }) => text.startsWith(`ring of ${tour.cores}: 3 rounds`)),
    );
    const bank = await tour.program('bank', some, ['--rounds', '12', '--json']);
    const told: unknown = JSON.parse(bank.lines.at(-1)?.text ?? '{}');
    const books = isRecord(told) ? told : {};
    const opening = Math.max(2, some.length) * 400;
    tour.say(`bank: ${books.committed ?? 0} of 12 transfers committed by two-phase commit on ${some.length} cores`);
    tour.check(`its money is unchanged: ${books.money ?? 'unknown'}`, bank.ok && books.money === opening);
    const words = await tour.program('map-reduce', some, ['--count', '16']);
    tour.say(`map-reduce: ${words.lines.at(-1)?.text ?? 'nothing'}`);
    tour.check('a domain that spans these cores counted every word', words.ok && words.lines.length === 1);
  },
};
