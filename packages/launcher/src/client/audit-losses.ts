import type { Gone, Loss } from '@mk/node-kernel/capability/audit/losses';

/** Describes losses for people: a line per core that is gone. */
export function describeLosses(losses: readonly Loss[], { absent, reborn }: Gone): readonly string[] {
  const count = (why: Loss['why'], of: number | null): number =>
    losses.filter((loss) => loss.why === why && loss.of === of).length;
  const ofCore = (core: number | null, who: string): readonly string[] => {
    const parts = [
      told(count('earlier_life', core), 'contradict', 'what others still hold of the memory of its earlier life'),
      told(count('absent_core', core), 'concern', 'memory that it brought'),
      told(count('owner_gone', core), 'name', 'it as owner'),
    ].filter((part) => part !== '');
    return parts.length === 0 ? [] : [`not judged, for ${who}: ${parts.join('; ')}`];
  };
  const leaked = count('held_by_nobody', null);
  const all = [...[...absent].map((core) => `core ${core}`), ...[...reborn].map(lifeText)].join(', ');
  return [
    ...[...absent].sort(byNumber).flatMap((core) => ofCore(core, `core ${core} is missing`)),
    ...[...reborn].sort(([a], [b]) => a - b).flatMap((row) => ofCore(row[0], `${lifeText(row)} has restarted`)),
    ...ofCore(null, 'several cores are not there'),
    ...(leaked === 0
      ? []
      : [
          `not judged: ${pieces(leaked)} of memory ${leaked === 1 ? 'is' : 'are'} held by nobody; the crashed core may have had the only capability to ${leaked === 1 ? 'it' : 'them'} (${all})`,
        ]),
  ];
}

function lifeText([core, incarnation]: readonly [core: number, incarnation: number]): string {
  return `core ${core} (incarnation ${incarnation})`;
}

function told(count: number, verb: string, what: string): string {
  return count === 0 ? '' : `${count} ${count === 1 ? `finding ${verb}s` : `findings ${verb}`} ${what}`;
}

function pieces(count: number): string {
  return count === 1 ? '1 piece' : `${count} pieces`;
}

function byNumber(a: number, b: number): number {
  return a - b;
}
