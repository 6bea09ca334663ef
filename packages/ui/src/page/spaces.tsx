import type { MappedView, PageView } from '../model/page-events.ts';
import { coreSet } from '../model/actions.ts';
import { Awaited } from './awaited.tsx';
import { CommandText } from './command-row.tsx';
import { sizeText } from './format.ts';
import type { Session } from './session.ts';
import { ScrolledTable } from './scrolled-table.tsx';

/** What is mapped where, and the pages of shared frames as their homes know them. */
export function Spaces({ session }: { readonly session: Session }) {
  const { spaces } = session.model;
  if (spaces === null) return <Awaited session={session} what="address spaces" />;
  const { mapped, pages, left } = spaces;
  return (
    <>
      <h3>Address spaces</h3>
      <p class="same">
        <CommandText text="mkctl vspace" />
      </p>
      {mapped.length === 0 ? <p>Nothing is mapped in any domain.</p> : <Mapped rows={mapped} />}
      {left[0] > 0 && <p>{left[0]} more are not shown.</p>}
      <h3>Pages</h3>
      <p class="same">
        <CommandText text={`mkctl pages ${hex(pages[0]?.address ?? 0)}`} />
      </p>
      {pages.length === 0 ? <p>No page has been touched.</p> : <Pages rows={pages} />}
      {left[1] > 0 && <p>{left[1]} more are not shown.</p>}
    </>
  );
}

function Mapped({ rows }: { readonly rows: readonly MappedView[] }) {
  return (
    <ScrolledTable
      label="address spaces"
      names={['domain', 'address', 'size', 'page', 'frame', 'rights', 'translations on']}
    >
      {rows.map(({ domain, virtual, bytes, pageBytes, frame, rights, holders }) => (
        <tr key={`${domain} ${virtual}`}>
          <th scope="row">{domain}</th>
          <td>{hex(virtual)}</td>
          <td>{sizeText(bytes)}</td>
          <td>{sizeText(pageBytes)}</td>
          <td>{hex(frame)}</td>
          <td>{[...new Set(rights)].join(' ')}</td>
          <td>{holders.length === 0 ? 'nobody' : `core ${coreSet(holders)}`}</td>
        </tr>
      ))}
    </ScrolledTable>
  );
}

function Pages({ rows }: { readonly rows: readonly PageView[] }) {
  return (
    <ScrolledTable label="pages" names={['page', 'home', 'state', 'owner', 'sharers', 'version', 'waiting']}>
      {rows.map(({ home, address, state, owner, sharers, version, queued }) => (
        <tr key={address}>
          <th scope="row">{hex(address)}</th>
          <td>core {home}</td>
          <td>{state}</td>
          <td>{owner === null ? '' : `core ${owner}`}</td>
          <td>{sharers.length > 0 && `core ${coreSet(sharers)}`}</td>
          <td>{version}</td>
          <td>{queued}</td>
        </tr>
      ))}
    </ScrolledTable>
  );
}

function hex(address: number): string {
  return `0x${address.toString(16)}`;
}
