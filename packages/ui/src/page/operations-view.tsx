import { STAGES, type OperationView } from '../model/operations.ts';
import type { ViewProps } from './view-props.ts';
import { CommandRow } from './command-row.tsx';
import { clockText, durationText } from './format.ts';
import { SpaceTimePicture } from './space-time-picture.tsx';
import { ScrolledTable } from './scrolled-table.tsx';

const MOST_ROWS = 100;

export function OperationsView({ session, choice, choose }: ViewProps) {
  const { operations } = session.model;
  const listed = operations.list().slice(-MOST_ROWS).reverse();
  const chosen = choice.op === null ? undefined : operations.get(choice.op);
  return (
    <section aria-labelledby="operations-title">
      <h2 id="operations-title">Operations</h2>
      {session.player === null && <Levels session={session} />}
      {chosen !== undefined && <Detail operation={chosen} close={() => choose({ op: null })} />}
      {listed.length === 0 ? (
        <p>No operation has been told of yet; mkctl bench revoke begins some.</p>
      ) : (
        <ScrolledTable
          label="operations, newest first"
          names={['operation', 'kind', 'result', 'took', 'stages', 'began']}
        >
          {listed.map((operation) => (
            <tr key={operation.op} class={operation.op === choice.op ? 'chosen' : ''}>
              <th scope="row">
                <button type="button" class="link" onClick={() => choose({ op: operation.op })}>
                  {operation.op}
                </button>
              </th>
              <td>{operation.kind}</td>
              <td>{operation.result === '' ? 'runs' : operation.result}</td>
              <td>{operation.elapsedUs === null ? '' : durationText(operation.elapsedUs)}</td>
              <td>{stagesText(operation)}</td>
              <td>{clockText(operation.firstAt)}</td>
            </tr>
          ))}
        </ScrolledTable>
      )}
    </section>
  );
}

function Levels({ session }: Pick<ViewProps, 'session'>) {
  return (
    <ul class="commands">
      <CommandRow
        session={session}
        name="Show messages and stages"
        action={{ verb: 'log-level', args: { level: 'debug' } }}
      />
      <CommandRow
        session={session}
        name="Show only what has ended"
        action={{ verb: 'log-level', args: { level: 'info' } }}
      />
    </ul>
  );
}

function Detail({ operation, close }: { readonly operation: OperationView; close(): void }) {
  const { op, kind, capability, result, elapsedUs } = operation;
  return (
    <section class="detail" aria-labelledby="detail-title">
      <h3 id="detail-title">
        {kind === '' ? 'operation' : kind} {op}
      </h3>
      <p>
        {capability !== '' && `${capability} · `}
        {result === '' ? 'runs' : result}
        {elapsedUs !== null && ` in ${durationText(elapsedUs)}`} · {stagesText(operation)}{' '}
        <button type="button" onClick={close}>
          Close
        </button>
      </p>
      <SpaceTimePicture operation={operation} />
    </section>
  );
}

/** `mark 2, done 6`: how many cores are at each stage. */
function stagesText({ stages }: OperationView): string {
  const counts = STAGES.map((stage) => [stage, [...stages.values()].filter((own) => own === stage).length] as const);
  return counts
    .filter(([, count]) => count > 0)
    .map(([stage, count]) => `${stage} ${count}`)
    .join(', ');
}
