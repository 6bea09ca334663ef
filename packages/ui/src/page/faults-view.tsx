import type { Action } from '../model/actions.ts';
import type { FaultView } from '../model/page-events.ts';
import type { ViewProps } from './view-props.ts';
import { CommandRow } from './command-row.tsx';
import { Deeds } from './deeds.tsx';

export function FaultsView({ session }: ViewProps) {
  const { faults } = session.model;
  return (
    <section aria-labelledby="faults-title">
      <h2 id="faults-title">Faults in force</h2>
      {faults.length === 0 && <p>No fault is in force; choose cores on the machine view and act.</p>}
      <ul class="faults">
        {faults.map((fault) => (
          <li key={fault.id}>
            <p>
              <strong>{fault.text}</strong>
              {fault.rule !== null && (
                <span>
                  {' '}
                  · {fault.frames} frames felt it, {fault.dropped} dropped, {fault.delayed} delayed
                </span>
              )}
            </p>
            <ul class="commands">
              <CommandRow session={session} name={healName(fault)} action={healOf(fault)} />
            </ul>
          </li>
        ))}
      </ul>
      <ul class="commands">
        <CommandRow session={session} name="Heal everything" action={{ verb: 'heal', args: {} }} />
      </ul>
      <Deeds session={session} />
    </section>
  );
}

/** A hung process has no rule of its own: only healing everything wakes it. */
function healOf({ id, process }: FaultView): Action {
  if (process === null) return { verb: 'heal', args: { rule: id } };
  return id.startsWith('crash:') ? { verb: 'restart', args: { targets: String(process) } } : { verb: 'heal', args: {} };
}

function healName({ id, process }: FaultView): string {
  if (process !== null && id.startsWith('crash:'))
    return `Restart ${process === 'skb' ? 'the SKB' : `core ${process}`}`;
  return `Heal ${id}`;
}
