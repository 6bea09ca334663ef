import type { MembershipView, PageEventOf, PastView } from '../model/page-events.ts';
import { coreSet } from '../model/actions.ts';
import { Awaited } from './awaited.tsx';
import { CommandText } from './command-row.tsx';
import { clockText } from './format.ts';
import type { ViewProps } from './view-props.ts';
import { ScrolledTable } from './scrolled-table.tsx';

/** Membership: the view, its leader, each core's lease and suspicions, and earlier views. */
export function ViewsView({ session }: ViewProps) {
  const { views } = session.model;
  return (
    <section aria-labelledby="views-title">
      <h2 id="views-title">Views</h2>
      <p class="same">
        <CommandText text="mkctl view" />
      </p>
      {views === null ? <Awaited session={session} what="views" /> : <Told views={views} />}
    </section>
  );
}

function Told({ views }: { readonly views: PageEventOf<'views'> }) {
  const { view, leader, leaseMs, members, rows, history, absent } = views;
  const suspected = [...new Set(rows.flatMap(({ suspects }) => suspects))];
  return (
    <>
      <p role="status">
        {view === 0
          ? 'No core is in a view yet.'
          : `View ${view}: ${members.length} members, leader core ${leader ?? '?'}, lease ${leaseMs / 1000} s. `}
        {suspected.length > 0 && <strong class="bad">Suspected: core {coreSet(suspected)}. </strong>}
        {absent.length > 0 && `Core ${coreSet(absent)} did not answer.`}
      </p>
      <p>
        Members by incarnation: {members.map(([core, incarnation]) => `${core}.${incarnation}`).join(' ') || 'none'}
      </p>
      <Cores rows={rows} newest={view} />
      <h3>How it came about</h3>
      <History history={history} />
    </>
  );
}

function Cores({ rows, newest }: { readonly rows: readonly MembershipView[]; readonly newest: number }) {
  return (
    <ScrolledTable
      label="what each core says"
      names={['core', 'view', 'leader', 'lease', 'suspects', 'hears newcomers']}
    >
      {rows.map(({ core, view, leader, fenced, suspects, newcomers }) => (
        <tr key={core}>
          <th scope="row">core {core}</th>
          <td class={view < newest ? 'bad' : undefined}>{view === 0 ? 'none yet' : view}</td>
          <td>{leader ?? ''}</td>
          <td class={fenced ? 'bad' : undefined}>{fenced ? 'none: fenced' : 'held'}</td>
          <td class={suspects.length > 0 ? 'bad' : undefined}>{suspects.length > 0 && `core ${coreSet(suspects)}`}</td>
          <td>{newcomers.length > 0 && `core ${coreSet(newcomers)}`}</td>
        </tr>
      ))}
    </ScrolledTable>
  );
}

function History({ history }: { readonly history: readonly PastView[] }) {
  return (
    <ScrolledTable label="views before" names={['at', 'view', 'members', 'leader', 'joined', 'left', 'lost']}>
      {history.toReversed().map(({ view, at, members, leader, joined, left = [], lost }) => (
        <tr key={view}>
          <td>{clockText(at)}</td>
          <th scope="row">{view}</th>
          <td>{members}</td>
          <td>core {leader}</td>
          <td>{joined.length > 0 && coreSet(joined)}</td>
          <td>{left.length > 0 && coreSet(left)}</td>
          <td>{lost.length > 0 && coreSet(lost)}</td>
        </tr>
      ))}
    </ScrolledTable>
  );
}
