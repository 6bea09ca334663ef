import { useState } from 'preact/hooks';
import { shellWord } from '@mk/machine/shell-line';
import { type LogFilter, logFilter, NO_FILTER } from '../model/log-filter.ts';
import type { LogLineView } from '../model/page-events.ts';
import { ColumnHeads } from './column-heads.tsx';
import type { ViewProps } from './view-props.ts';
import { clusterOption, CommandText } from './command-row.tsx';
import { clockText } from './format.ts';

const MOST_ROWS = 300;
/** Fields of every line, shown in columns of their own. */
const COMMON = new Set(['v', 'time', 'level', 'event', 'core', 'incarnation', 'seq', 'lamport', 'msg', 'op']);

export function LogView({ session, choose, open }: ViewProps) {
  const [filter, setFilter] = useState<LogFilter>(NO_FILTER);
  const [paused, setPaused] = useState<readonly LogLineView[] | null>(null);
  const { model } = session;
  const lines = paused ?? model.log.lastThat(MOST_ROWS, logFilter(filter));
  const set = (change: Partial<LogFilter>): void => setFilter((before) => ({ ...before, ...change }));
  const openOperation = (op: string): void => {
    choose({ op });
    open('operations');
  };
  return (
    <section aria-labelledby="log-title">
      <h2 id="log-title">Log</h2>
      <Filters filter={filter} set={set} />
      <p class="controls">
        <button type="button" aria-pressed={paused !== null} onClick={() => setPaused(paused === null ? lines : null)}>
          Pause
        </button>
        <span>
          {lines.length} lines shown, {model.log.length} kept{model.lostLines > 0 && `, ${model.lostLines} left out`}
        </span>
      </p>
      <p class="same">
        <CommandText text={commandOf(filter, clusterOption(session))} />
      </p>
      <Lines lines={lines} openOperation={openOperation} />
    </section>
  );
}

function Lines({ lines, openOperation }: { readonly lines: readonly LogLineView[]; openOperation(op: string): void }) {
  return (
    <div class="scroll tall" tabIndex={0} role="log" aria-live="off" aria-label="log lines, newest first">
      <table class="log">
        <ColumnHeads names={['time', 'who', 'event', 'what']} />
        <tbody>
          {[...lines].reverse().map((line) => (
            <tr
              key={`${line.core}.${String(line['incarnation'])}.${line.seq ?? ''}.${line.time}`}
              class={line.level}
              title={line.msg ?? ''}
            >
              <td>{clockText(line.time)}</td>
              <td>{typeof line.core === 'number' ? `core ${line.core}` : line.core}</td>
              <td>{line.event}</td>
              <td>
                {line.op !== undefined && line.op !== '' && (
                  <button type="button" class="link" onClick={() => openOperation(line.op ?? '')}>
                    {line.op}
                  </button>
                )}{' '}
                {fieldsOf(line)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Filters({ filter, set }: { readonly filter: LogFilter; set(change: Partial<LogFilter>): void }) {
  const field = (name: 'core' | 'event' | 'op' | 'text', label: string, placeholder: string) => (
    <label>
      {label}{' '}
      <input
        size={10}
        value={filter[name]}
        placeholder={placeholder}
        onInput={({ currentTarget: { value } }) => set({ [name]: value })}
      />
    </label>
  );
  return (
    <p class="controls">
      {field('core', 'Core', '3 or skb')}
      <label>
        Level{' '}
        <select
          value={filter.level}
          onChange={({ currentTarget: { value } }) => set({ level: value as LogFilter['level'] })}
        >
          {['debug', 'info', 'warn', 'error'].map((level) => (
            <option key={level} value={level}>
              {level}
            </option>
          ))}
        </select>
      </label>
      {field('event', 'Event', 'cap_*')}
      {field('op', 'Operation', '3.1.42')}
      {field('text', 'Text', '')}
    </p>
  );
}

/** The command that prints these lines on a terminal. */
function commandOf({ core, level, event, op, text }: LogFilter, cluster: string): string {
  const options = [
    ['core', core.trim()],
    ['level', level === 'debug' ? '' : level],
    ['event', event.trim()],
    ['op', op.trim()],
    ['cluster', cluster],
  ].flatMap(([name, value]) => (value === undefined || value === '' ? [] : [`--${name}`, shellWord(value)]));
  const command = ['mkctl logs --follow', ...options].join(' ');
  return text === '' ? command : `${command} --json | grep -F -- ${shellWord(text)}`;
}

function fieldsOf(line: LogLineView): string {
  return Object.entries(line)
    .filter(([name, value]) => !COMMON.has(name) && value !== '')
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join(', ');
}
