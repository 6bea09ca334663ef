import { useMemo } from 'preact/hooks';
import { formatDuration } from '@mk/machine/duration';
import { layoutOf, type MachineLayout } from '../model/machine-layout.ts';
import type { CoreView } from '../model/page-events.ts';
import type { Stage } from '../model/operations.ts';
import { ActPanel } from './act-panel.tsx';
import type { ViewProps } from './view-props.ts';
import { LinkCanvas } from './link-canvas.tsx';
import type { Session } from './session.ts';

/** How long an operation's effect on a core stays visible. */
const RECENT_MS = 2500;

export function MachineView({ session, choice, choose }: ViewProps) {
  const { model } = session;
  const signature = model.cores.map(({ core, package: number }) => `${core}:${number}`).join(' ');
  const layout = useMemo(() => layoutOf(model.cores), [signature]);
  const { selected } = choice;
  const stages = recentStages(session);
  const toggle = (who: number | 'skb'): void => {
    const next = new Set(selected);
    if (!next.delete(who)) next.add(who);
    choose({ selected: next });
  };
  return (
    <div class="columns">
      <section aria-labelledby="machine-title">
        <h2 id="machine-title">Machine</h2>
        {useMemo(
          () => (
            <TreeChoice session={session} root={choice.root} plan={choice.plan} choose={choose} />
          ),
          [signature, choice.root, choice.plan],
        )}
        <div class={`machine ${layout.form}`}>
          <LinkCanvas session={session} layout={layout} choice={choice} />
          {useMemo(() => packageNames(layout), [layout])}
          {useMemo(
            () => (
              <CoreButtons session={session} layout={layout} selected={selected} stages={stages} toggle={toggle} />
            ),
            [model.cores, layout, selected, [...stages].join(' ')],
          )}
          {model.skb !== '' && (
            <button
              type="button"
              class={`skb ${model.skb}`}
              aria-pressed={selected.has('skb')}
              onClick={() => toggle('skb')}
            >
              SKB{model.skb === 'running' ? '' : ` ${model.skb}`}
            </button>
          )}
        </div>
        <Legend session={session} />
      </section>
      <ActPanel session={session} selected={selected} choose={choose} />
    </div>
  );
}

function packageNames({ packages }: MachineLayout) {
  return packages.map(({ package: number, x, y }) => (
    <span key={number} class="package" style={{ left: `${x * 100}%`, top: `${y * 100}%` }}>
      {number}
    </span>
  ));
}

function TreeChoice({
  session,
  root,
  plan,
  choose,
}: Pick<ViewProps, 'session' | 'choose'> & { readonly root: number | null; readonly plan: string }) {
  return (
    <p class="controls">
      <label>
        Tree of{' '}
        <select
          value={root === null ? '' : String(root)}
          onChange={({ currentTarget: { value } }) => choose({ root: value === '' ? null : Number(value) })}
        >
          <option value="">no core</option>
          {session.model.cores.map(({ core }) => (
            <option key={core} value={String(core)}>
              core {core}
            </option>
          ))}
        </select>
      </label>
      <label>
        Plan{' '}
        <select value={plan} onChange={({ currentTarget: { value } }) => choose({ plan: value })}>
          {['multicast', 'numa', 'broadcast', 'unicast'].map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </p>
  );
}

interface CoreButtonsProps {
  readonly session: Session;
  readonly layout: MachineLayout;
  readonly selected: ReadonlySet<number | 'skb'>;
  readonly stages: ReadonlyMap<number, Stage>;
  toggle(core: number): void;
}

function CoreButtons({ session, layout, selected, stages, toggle }: CoreButtonsProps) {
  const { model } = session;
  const views = new Map(model.cores.map((view) => [view.core, view]));
  return (
    <>
      {layout.cores.map(({ core, x, y }) => {
        const view = views.get(core);
        const state = view?.state ?? 'silent';
        const stage = stages.get(core);
        return (
          <button
            key={core}
            type="button"
            class={`core ${state} ${stage === undefined ? '' : `stage-${stage}`}`}
            style={{ left: `${x * 100}%`, top: `${y * 100}%`, width: `${layout.coreSize * 100}%` }}
            aria-pressed={selected.has(core)}
            aria-label={nameOf(core, view, stage)}
            title={nameOf(core, view, stage)}
            onClick={() => toggle(core)}
          >
            {core}
          </button>
        );
      })}
    </>
  );
}

function nameOf(core: number, view: CoreView | undefined, stage: Stage | undefined): string {
  if (view === undefined) return `core ${core}`;
  const { state, package: number, incarnation } = view;
  const doing = stage === undefined ? '' : `, ${stage}`;
  return `core ${core}, ${state}, package ${number}${incarnation > 1 ? `, incarnation ${incarnation}` : ''}${doing}`;
}

/** The latest stage of recent operations on each core. */
function recentStages({ model, now }: Session): ReadonlyMap<number, Stage> {
  const stages = new Map<number, Stage>();
  for (const operation of model.operations.list()) {
    if (now - operation.lastAt > RECENT_MS) continue;
    for (const [core, stage] of operation.stages) stages.set(core, stage);
  }
  return stages;
}

function Legend({ session }: { readonly session: Session }) {
  const { trips, tripRange } = session.model;
  const [least, most] = tripRange;
  return (
    <ul class="legend">
      {trips.length > 0 && (
        <li>
          <span class="swatch latency" /> round trip {formatDuration(least)} to {formatDuration(most)}
        </li>
      )}
      <li>
        <span class="swatch cut" /> cut
      </li>
      <li>
        <span class="swatch lossy" /> loses frames
      </li>
      <li>
        <span class="swatch slow" /> slowed
      </li>
      <li>
        <span class="swatch tree" /> tree
      </li>
      <li>
        <span class="swatch flash" /> message
      </li>
      <li>
        <span class="swatch mark" /> marked
      </li>
      <li>
        <span class="swatch commit" /> commits
      </li>
    </ul>
  );
}
