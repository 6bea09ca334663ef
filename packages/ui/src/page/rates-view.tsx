import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import { percentile } from '../model/percentiles.ts';
import { ColumnHeads } from './column-heads.tsx';
import type { ViewProps } from './view-props.ts';
import { themeColour } from './colours.ts';
import { durationText, rateText } from './format.ts';
import type { Session } from './session.ts';
import { ScrolledTable } from './scrolled-table.tsx';

export function RatesView({ session }: ViewProps) {
  const { rates } = session.model;
  return (
    <section aria-labelledby="rates-title">
      <h2 id="rates-title">Rates and percentiles</h2>
      <Plot session={session} />
      <Latencies session={session} />
      <ScrolledTable
        label="rates by core"
        caption="Events a second, by core"
        names={['core', 'messages sent', 'delivered', 'frames out', 'in', 'sent again', 'queued', 'operations']}
      >
        {rates.map((row) => (
          <tr key={row.core}>
            <th scope="row">core {row.core}</th>
            {[row.sent, row.delivered, row.framesSent, row.framesReceived, row.retransmits].map((rate, i) => (
              <td key={i}>{rateText(rate)}</td>
            ))}
            <td>{row.queued}</td>
            <td>{row.operations}</td>
          </tr>
        ))}
      </ScrolledTable>
    </section>
  );
}

const SERIES = [
  ['messages sent', 'plot-1'],
  ['frames sent', 'plot-2'],
  ['sent again', 'plot-3'],
] as const;

function Plot({ session }: { readonly session: Session }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const { rateHistory } = session.model;
  useEffect(() => {
    const element = place.current!;
    const size = (): { width: number; height: number } => ({ width: Math.max(280, element.clientWidth), height: 220 });
    const options: uPlot.Options = {
      ...size(),
      series: [{}, ...SERIES.map(([label, colour]) => ({ label, stroke: themeColour(colour), width: 2 }))],
      axes: [axis(), { ...axis(), size: 60 }],
    };
    const drawn = new uPlot(options, [[]], element);
    plot.current = drawn;
    const watcher = new ResizeObserver(() => drawn.setSize(size()));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      drawn.destroy();
    };
  }, []);
  useEffect(() => {
    const points = rateHistory.toArray();
    plot.current?.setData([
      points.map(({ t }) => t / 1000),
      points.map(({ total }) => total.sent),
      points.map(({ total }) => total.framesSent),
      points.map(({ total }) => total.retransmits),
    ]);
  }, [rateHistory, rateHistory.added]);
  const last = rateHistory.toArray().at(-1)?.total;
  return (
    <>
      <div ref={place} class="plot" aria-hidden="true" />
      <p role="status">
        {last === undefined
          ? 'Rates need two counts, a second apart.'
          : `all cores: ${rateText(last.sent)} messages and ${rateText(last.framesSent)} frames a second, ${rateText(last.retransmits)} sent again`}
      </p>
    </>
  );
}

function axis(): uPlot.Axis {
  return {
    stroke: themeColour('text'),
    grid: { stroke: themeColour('line'), width: 1 },
    ticks: { stroke: themeColour('line') },
  };
}

const SHARES = [0.5, 0.9, 0.99, 1] as const;

function Latencies({ session }: { readonly session: Session }) {
  const byKind = new Map<string, number[]>();
  for (const { kind, us } of session.model.latencies.toArray()) {
    const values = byKind.get(kind);
    if (values === undefined) byKind.set(kind, [us]);
    else values.push(us);
  }
  if (byKind.size === 0) return <p>No operation has ended while this page looked.</p>;
  return (
    <table>
      <caption>How long operations took (the last {session.model.latencies.capacity})</caption>
      <ColumnHeads names={['operation', 'count', 'p50', 'p90', 'p99', 'max']} />
      <tbody>
        {[...byKind].map(([kind, values]) => (
          <tr key={kind}>
            <th scope="row">{kind}</th>
            <td>{values.length}</td>
            {SHARES.map((share) => (
              <td key={share}>{durationText(percentile(values, share) ?? 0)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
