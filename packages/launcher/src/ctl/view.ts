import type { CoreView } from '@mk/node-kernel/monitor/views/core-view';
import { askCores, coresUp } from '../client/cores.ts';
import { CommandError } from '../cli/usage-error.ts';
import { plainTable } from '../display/ready-table.ts';
import { type CtlCommand, type CtlContext, printJson } from './context.ts';

/** A hung core must not delay the others' answers. */
const ANSWER_MS = 2000;

export const VIEW: CtlCommand = {
  command: 'view',
  describe: 'membership: the view, its leader, suspicions, each core’s lease, and earlier views',
  examples: [
    ['$0 view', 'number, members, leader, and what every core says of it'],
    ['$0 view --json | jq .members', 'for machines'],
    ['$0 view --force', 'the majority is lost for good: a new epoch with whoever is left, decided by you'],
  ],
  options: (cli) =>
    cli.option('force', {
      type: 'boolean',
      default: false,
      describe: 'begin a new epoch without a majority: what the cores that are left out agreed on is given up',
    }),
  async run(context) {
    if (context.args['force'] === true) await force(context);
    const { rows, absent } = await viewsOf(context);
    const newest = rows.reduce<CoreView | null>((best, row) => (row.view > (best?.view ?? 0) ? row : best), null);
    const leader = rows.find(({ core }) => core === newest?.leader) ?? newest;
    if (context.json) {
      printJson(context, {
        view: newest?.view ?? 0,
        leader: newest?.leader ?? null,
        members: newest?.members ?? [],
        suspects: suspicions(rows),
        accused: leader?.accused ?? [],
        newcomers: leader?.newcomers ?? [],
        history: leader?.history ?? [],
        cores: rows,
        absent,
      });
      return newest === null ? 1 : 0;
    }
    if (newest === null || leader === null) throw new CommandError('no core is in a view yet');
    show(context, newest, leader, rows);
    for (const { core, why } of absent) context.terminal.out(`core ${core} does not answer: ${why}`);
    return 0;
  },
};

async function viewsOf(context: CtlContext): Promise<{
  readonly rows: readonly CoreView[];
  readonly absent: readonly { readonly core: number; readonly why: string }[];
}> {
  const { answers, absent } = await askCores(await coresUp(context.cluster), (core) =>
    context.cluster.core(core, 'view', {}, { timeoutMs: ANSWER_MS }),
  );
  return { rows: answers.map(({ value }) => value), absent };
}

/** Pairs of cores, the suspecting and the suspected one. */
function suspicions(rows: readonly CoreView[]): readonly { readonly by: number; readonly core: number }[] {
  return rows.flatMap(({ core: by, suspects }) => suspects.map((core) => ({ by, core })));
}

function show({ terminal }: CtlContext, newest: CoreView, leader: CoreView, rows: readonly CoreView[]): void {
  const { view, members, lease_ms: leaseMs } = newest;
  terminal.out(`view ${view}: ${members.length} members, leader core ${newest.leader ?? '?'}, lease ${leaseMs} ms`);
  terminal.out(`members ${members.map(({ core, incarnation }) => `${core}.${incarnation}`).join(' ')}`);
  const table = plainTable(['core', 'view', 'leader', 'lease left', 'suspects', 'hears newcomers']);
  for (const row of rows)
    table.push([
      String(row.core),
      row.view === 0 ? 'none yet' : String(row.view),
      String(row.leader ?? ''),
      row.fenced ? 'FENCED' : `${row.lease_left_ms} ms`,
      row.suspects.join(' '),
      row.newcomers.join(' '),
    ]);
  terminal.out(table.toString());
  for (const { core, by } of leader.accused) terminal.out(`core ${core} is accused by ${by.join(' ')}`);
  for (const past of leader.history.slice(-8)) {
    const came = past.joined.length === 0 ? '' : `  joined ${past.joined.join(' ')}`;
    const left = past.left.length === 0 ? '' : `  left ${past.left.join(' ')}`;
    const lost = past.lost.length === 0 ? '' : `  lost ${past.lost.join(' ')}`;
    const ago = `${(past.age_ms / 1000).toFixed(1)} s ago`;
    terminal.out(`view ${past.view}  ${ago}  ${past.members} members, leader ${past.leader}${came}${left}${lost}`);
  }
}

/** Of the cores that know the newest view, the lowest begins the epoch. */
async function force(context: CtlContext): Promise<void> {
  const { rows } = await viewsOf(context);
  const inSome = rows.filter(({ view }) => view > 0);
  const [best] = inSome.sort((a, b) => b.view - a.view || a.core - b.core);
  if (best === undefined) throw new CommandError('no core is in a view yet: there is nothing to force');
  const live = rows.find(({ view, fenced }) => view === best.view && !fenced);
  if (live !== undefined)
    throw new CommandError(
      `core ${live.core} has a lease in view ${live.view}: a majority works, and nothing has to be forced`,
    );
  const { answers, absent } = await askCores([best.core], (core) => context.cluster.core(core, 'view_force'));
  const [made] = answers;
  if (made === undefined) throw new CommandError(`core ${best.core} did not begin an epoch: ${absent[0]?.why ?? ''}`);
  const { members } = made.value;
  const gone = best.members.length - members.length;
  context.terminal.error(
    `core ${best.core} has begun a new epoch with ${members.length} cores; ${Math.max(0, gone)} of view ${best.view} are given up: whatever they agreed on among themselves is void`,
  );
}
