import { useState } from 'preact/hooks';
import type { CapabilityView } from '../model/page-events.ts';
import { Awaited } from './awaited.tsx';
import type { ViewProps } from './view-props.ts';
import { CommandText } from './command-row.tsx';
import { ScrolledTable } from './scrolled-table.tsx';

const MOST_ROWS = 300;
const RELATIONS = ['copies', 'ancestors', 'descendants'];

export function CapabilitiesView({ session }: ViewProps) {
  const [filter, setFilter] = useState('');
  const [kernel, setKernel] = useState(false);
  const { capabilities, absent } = session.model;
  const passing = (capabilities ?? []).filter(
    (row) => (kernel || row.slot >= 0) && textOf(row).includes(filter.trim()),
  );
  return (
    <section aria-labelledby="capabilities-title">
      <h2 id="capabilities-title">Capabilities and their owners</h2>
      <p class="controls">
        <label>
          Filter{' '}
          <input
            value={filter}
            placeholder="RAM, owner 3, …"
            onInput={({ currentTarget }) => setFilter(currentTarget.value)}
          />
        </label>
        <label>
          <input type="checkbox" checked={kernel} onChange={({ currentTarget }) => setKernel(currentTarget.checked)} />{' '}
          the kernels’ own
        </label>
      </p>
      <p class="same">
        <CommandText text="mkctl caps" />
      </p>
      {capabilities === null ? (
        <Awaited session={session} what="capabilities" />
      ) : (
        <>
          <Owners rows={capabilities} />
          <p role="status">
            {passing.length} of {capabilities.length} capabilities
            {absent.length > 0 && `; core ${absent.join(', ')} did not answer`}
          </p>
          <Rows rows={passing.slice(0, MOST_ROWS)} />
        </>
      )}
    </section>
  );
}

function Owners({ rows }: { readonly rows: readonly CapabilityView[] }) {
  const owners = new Map<number, number>();
  for (const { owner } of rows) owners.set(owner, (owners.get(owner) ?? 0) + 1);
  const sorted = [...owners].sort(([a], [b]) => a - b);
  const most = Math.max(1, ...owners.values());
  return (
    <ul class="bars" aria-label="capabilities by owner">
      {sorted.map(([owner, count]) => (
        <li key={owner}>
          <span>core {owner}</span> <meter min={0} max={most} value={count} /> <span>{count}</span>
        </li>
      ))}
    </ul>
  );
}

function Rows({ rows }: { readonly rows: readonly CapabilityView[] }) {
  return (
    <ScrolledTable label="capabilities" names={['core', 'slot', 'capability', 'owner', 'elsewhere']}>
      {rows.map((row) => (
        <tr key={`${row.core}.${row.slot}`}>
          <td>{row.core}</td>
          <td>{row.slot < 0 ? 'kernel' : `0x${row.slot.toString(16)}`}</td>
          <th scope="row">{row.capability}</th>
          <td>
            core {row.owner}
            {row.locked ? ', locked' : ''}
          </td>
          <td>{RELATIONS.filter((_, bit) => (row.relations & (1 << bit)) !== 0).join(', ')}</td>
        </tr>
      ))}
    </ScrolledTable>
  );
}

function textOf({ core, capability, owner }: CapabilityView): string {
  return `core ${core} ${capability} owner ${owner}`;
}
