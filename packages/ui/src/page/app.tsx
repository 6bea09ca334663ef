import type { FunctionComponent } from 'preact';
import { useEffect, useReducer, useState } from 'preact/hooks';
import type { Watched } from '../model/page-events.ts';
import { CapabilitiesView } from './capabilities-view.tsx';
import { FaultsView } from './faults-view.tsx';
import { LatencyView } from './latency-view.tsx';
import { LogView } from './log-view.tsx';
import { MachineView } from './machine-view.tsx';
import { MemoryView } from './memory-view.tsx';
import { OperationsView } from './operations-view.tsx';
import { RatesView } from './rates-view.tsx';
import { ReplayBar } from './replay-bar.tsx';
import type { Session } from './session.ts';
import { TokenForm } from './token-form.tsx';
import type { Choice, ViewProps } from './view-props.ts';
import { ViewsView } from './views-view.tsx';

interface View {
  readonly title: string;
  readonly component: FunctionComponent<ViewProps>;
  readonly watches: readonly Watched[];
}

const VIEWS: Readonly<Record<string, View>> = {
  machine: { title: 'Machine', component: MachineView, watches: [] },
  latency: { title: 'Latency', component: LatencyView, watches: [] },
  operations: { title: 'Operations', component: OperationsView, watches: [] },
  faults: { title: 'Faults', component: FaultsView, watches: [] },
  views: { title: 'Views', component: ViewsView, watches: ['views'] },
  capabilities: { title: 'Capabilities', component: CapabilitiesView, watches: ['capabilities'] },
  memory: { title: 'Memory', component: MemoryView, watches: ['memory', 'domains', 'spaces'] },
  rates: { title: 'Rates', component: RatesView, watches: [] },
  log: { title: 'Log', component: LogView, watches: [] },
};

export function App({ session }: { readonly session: Session }) {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => session.onFrame(() => redraw(undefined)), [session]);
  const [view, open] = useView();
  const [choice, setChoice] = useState<Choice>({ selected: new Set(), root: null, plan: 'multicast', op: null });
  const { component: Current, watches, title } = VIEWS[view]!;
  const { root, plan } = choice;
  const tree: readonly Watched[] = root !== null && (view === 'machine' || view === 'operations') ? ['tree'] : [];
  session.watch([...watches, ...tree], root ?? 0, plan);
  const choose = (change: Partial<Choice>): void => setChoice((before) => ({ ...before, ...change }));
  return (
    <>
      <a class="skip" href="#main">
        Skip to the view
      </a>
      <Header session={session} view={view} />
      <main id="main" tabIndex={-1} aria-label={title} class={session.trouble === null ? '' : 'old'}>
        <Current session={session} choice={choice} choose={choose} open={open} />
      </main>
      {session.player !== null && <ReplayBar session={session} player={session.player} />}
    </>
  );
}

function Header({ session, view }: { readonly session: Session; readonly view: string }) {
  const { hello, cores, trouble } = session.model;
  const up = cores.filter(({ state }) => state === 'running').length;
  const text = session.trouble ?? trouble;
  return (
    <header>
      <div class="banner">
        <h1>{hello === null ? 'mk' : `mk: ${hello.cluster}`}</h1>
        <p class="facts">
          {up} of {cores.length} cores run
          {hello !== null && hello.machine !== '' && <span> · {hello.machine}</span>}
          {hello !== null && hello.seed !== '' && <span> · seed {hello.seed}</span>}
        </p>
        {session.player === null && <TokenForm session={session} />}
      </div>
      <nav aria-label="Views">
        <ul>
          {Object.entries(VIEWS).map(([name, { title }]) => (
            <li key={name}>
              <a href={`#${name}`} aria-current={name === view ? 'page' : undefined}>
                {title}
                {name === 'faults' && session.model.faults.length > 0 && (
                  <span class="count"> {session.model.faults.length}</span>
                )}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <p role="status" class={text === null ? 'trouble none' : 'trouble'}>
        {text ?? ''}
      </p>
    </header>
  );
}

/** The view is in the address: it can be linked, and the browser's back button works. */
function useView(): [string, (view: string) => void] {
  const current = (): string => {
    const name = location.hash.slice(1);
    return Object.hasOwn(VIEWS, name) ? name : 'machine';
  };
  const [view, setView] = useState(current);
  useEffect(() => {
    const changed = (): void => {
      if (location.hash !== '#main') setView(current());
    };
    addEventListener('hashchange', changed);
    return () => removeEventListener('hashchange', changed);
  }, []);
  return [view, (name) => void (location.hash = name)];
}
