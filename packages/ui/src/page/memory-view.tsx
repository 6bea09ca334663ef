import { Awaited } from './awaited.tsx';
import type { ViewProps } from './view-props.ts';
import { CommandText } from './command-row.tsx';
import { sizeText } from './format.ts';
import type { Session } from './session.ts';
import { Spaces } from './spaces.tsx';
import { ScrolledTable } from './scrolled-table.tsx';

export function MemoryView({ session }: ViewProps) {
  return (
    <section aria-labelledby="memory-title">
      <h2 id="memory-title">Memory and domains</h2>
      <Memory session={session} />
      <Domains session={session} />
      <Spaces session={session} />
    </section>
  );
}

function Memory({ session }: { readonly session: Session }) {
  const { model } = session;
  if (model.memory === null) return <Awaited session={session} what="memory" />;
  return (
    <>
      <p class="same">
        <CommandText text="mkctl mem" />
      </p>
      <ScrolledTable label="memory" names={['core', 'in use', 'of', 'free', 'lent', 'stolen']}>
        {model.memory.map(({ core, brought, free, lent, stolen }) => {
          const used = Math.max(0, brought + stolen - free - lent);
          return (
            <tr key={core}>
              <th scope="row">core {core}</th>
              <td>
                <meter min={0} max={Math.max(1, brought)} value={used} aria-label={`in use on core ${core}`} />{' '}
                {sizeText(used)}
              </td>
              <td>{sizeText(brought)}</td>
              <td>{sizeText(free)}</td>
              <td>{sizeText(lent)}</td>
              <td>{sizeText(stolen)}</td>
            </tr>
          );
        })}
      </ScrolledTable>
    </>
  );
}

function Domains({ session }: { readonly session: Session }) {
  const { model } = session;
  if (model.domains === null) return <Awaited session={session} what="domains" />;
  return (
    <>
      <h3>Domains</h3>
      <p class="same">
        <CommandText text="mkctl ps --domains" />
      </p>
      {model.domains.length === 0 ? (
        <p>No domain of a program runs or has run.</p>
      ) : (
        <ScrolledTable label="domains" names={['domain', 'program', 'state', 'cores']}>
          {model.domains.map(({ domain, program, state, cores }) => (
            <tr key={domain}>
              <th scope="row">{domain}</th>
              <td>{program}</td>
              <td>{state}</td>
              <td>{cores.join(', ')}</td>
            </tr>
          ))}
        </ScrolledTable>
      )}
    </>
  );
}
