import { useState } from 'preact/hooks';
import { type Action, coreSet } from '../model/actions.ts';
import type { Choice } from './view-props.ts';
import { CommandRow } from './command-row.tsx';
import { Deeds } from './deeds.tsx';
import type { Session } from './session.ts';

interface Props {
  readonly session: Session;
  readonly selected: Choice['selected'];
  choose(change: Partial<Choice>): void;
}

interface Settings {
  readonly delay: string;
  readonly loss: string;
  /** Empty: until healed. */
  readonly time: string;
}

/** The actions for the chosen cores. */
export function ActPanel(props: Props) {
  if (props.session.player === null) return <LivePanel {...props} />;
  return (
    <section class="act">
      <p class="why">A recorded run: nothing can be done to it. The slider below sets the time.</p>
    </section>
  );
}

function LivePanel({ session, selected, choose }: Props) {
  const [settings, setSettings] = useState<Settings>({ delay: '20ms', loss: '20%', time: '' });
  const set = (change: Partial<Settings>): void => setSettings((before) => ({ ...before, ...change }));
  const cores = [...selected].filter((who) => who !== 'skb');
  const whom = selected.has('skb') ? 'the SKB' : cores.length === 0 ? 'nothing chosen' : `chosen: ${coreSet(cores)}`;
  const all = session.model.cores.map(({ core }) => core);
  return (
    <section class="act" aria-labelledby="act-title">
      <h2 id="act-title">Act</h2>
      <p>
        <strong>{whom}</strong>{' '}
        <button type="button" onClick={() => choose({ selected: new Set(all) })}>
          All
        </button>{' '}
        <button type="button" onClick={() => choose({ selected: new Set() })}>
          None
        </button>
      </p>
      {!session.mayAct && <p class="why">{session.mayText}</p>}
      <SettingFields settings={settings} set={set} />
      <ul class="commands">
        {rowsFor(selected.has('skb') ? 'skb' : cores, all, settings, session.model.hello?.supervised ?? false).map(
          ([name, action, why]) => (
            <CommandRow key={name} session={session} name={name} action={action} why={why} />
          ),
        )}
      </ul>
      <Deeds session={session} />
    </section>
  );
}

function SettingFields({ settings, set }: { readonly settings: Settings; set(change: Partial<Settings>): void }) {
  return (
    <p class="controls">
      <label>
        Delay{' '}
        <input size={6} value={settings.delay} onInput={({ currentTarget: { value } }) => set({ delay: value })} />
      </label>
      <label>
        Loss <input size={5} value={settings.loss} onInput={({ currentTarget: { value } }) => set({ loss: value })} />
      </label>
      <label>
        For{' '}
        <select value={settings.time} onChange={({ currentTarget: { value } }) => set({ time: value })}>
          <option value="">until healed</option>
          {['2s', '10s', '60s'].map((time) => (
            <option key={time} value={time}>
              {time}
            </option>
          ))}
        </select>
      </label>
    </p>
  );
}

type Row = readonly [name: string, action: Action | null, why: string];

function rowsFor(
  whom: 'skb' | readonly number[],
  all: readonly number[],
  settings: Settings,
  supervised: boolean,
): readonly Row[] {
  const time = settings.time === '' ? {} : { for: settings.time };
  const text = whom === 'skb' ? 'skb' : coreSet(whom);
  const some = whom === 'skb' || whom.length > 0;
  const processes = !supervised
    ? 'the containers’ engine does that: docker kill, restart, pause'
    : some
      ? ''
      : 'choose a core first';
  const process = (action: Action): Action | null => (processes === '' ? action : null);
  return [
    ...linkRows(whom, all, settings, time),
    ['Hang', process({ verb: 'hang', args: { targets: text, ...time } }), processes],
    ['Crash', process({ verb: 'crash', args: { targets: text } }), processes],
    ['Restart', process({ verb: 'restart', args: { targets: text } }), processes],
    ['Heal everything', { verb: 'heal', args: {} }, ''],
    ['Measure the links', { verb: 'measure', args: {} }, ''],
  ];
}

function linkRows(
  whom: 'skb' | readonly number[],
  all: readonly number[],
  { delay, loss }: Settings,
  time: { readonly for?: string },
): readonly Row[] {
  const text = whom === 'skb' ? 'skb' : coreSet(whom);
  const ends = endsOf(whom);
  const between = { from: ends[0], to: ends[1] };
  const rest = whom !== 'skb' && whom.length > 0 && whom.length < all.length;
  const cut: Action | null =
    whom === 'skb'
      ? { verb: 'isolate', args: { cores: 'skb', ...time } }
      : rest
        ? { verb: 'partition', args: { groups: [text, 'rest'], ...time } }
        : null;
  const rows: Row[] = [
    ['Cut off', cut, 'choose some cores, not all'],
    ['Slow', { verb: 'link', args: { ...between, delay, ...time } }, ''],
    ['Lose', { verb: 'link', args: { ...between, loss, ...time } }, ''],
  ];
  if (whom === 'skb' || whom.length !== 2) return rows;
  const [a, b] = [String(whom[0]), String(whom[1])];
  return [
    ...rows,
    ['Cut this link', { verb: 'partition', args: { groups: [a, b], ...time } }, ''],
    ['Heal this link', { verb: 'heal', args: { from: a, to: b } }, ''],
  ];
}

/**
 * Two cores mean the link between them; one, or more than two, everything that they send and receive; none, every link.
 */
function endsOf(whom: 'skb' | readonly number[]): readonly [string, string] {
  if (whom === 'skb') return ['skb', 'all'];
  if (whom.length === 2) return [String(whom[0]), String(whom[1])];
  return [whom.length === 0 ? 'all' : coreSet(whom), 'all'];
}
