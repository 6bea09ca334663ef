import { useEffect, useState } from 'preact/hooks';
import type { Player } from '../model/recording.ts';
import { clockText } from './format.ts';
import type { Session } from './session.ts';

/** The time of a recording: a slider, and a play button. */
export function ReplayBar({ session, player }: { readonly session: Session; readonly player: Player }) {
  const [playing, setPlaying] = useState(false);
  const [speed, setSpeed] = useState(1);
  const { begin, end } = player.recording;
  useEffect(() => {
    if (!playing) return undefined;
    let last = performance.now();
    let frame = requestAnimationFrame(function step(now) {
      const t = Math.min(end, player.model.now + (now - last) * speed);
      last = now;
      player.seek(t);
      session.changed();
      if (t >= end) setPlaying(false);
      else frame = requestAnimationFrame(step);
    });
    return () => cancelAnimationFrame(frame);
  }, [playing, speed, player]);
  const set = (t: number): void => {
    player.seek(t);
    session.changed();
  };
  const toggle = (): void => {
    if (!playing && player.model.now >= end) set(begin);
    setPlaying(!playing);
  };
  return (
    <footer class="replay">
      <button type="button" onClick={toggle}>
        {playing ? 'Pause' : 'Play'}
      </button>
      <input
        type="range"
        aria-label="Time of the recording"
        aria-valuetext={clockText(player.model.now)}
        min={begin}
        max={end}
        step={Math.max(1, Math.round((end - begin) / 2000))}
        value={player.model.now}
        onInput={({ currentTarget }) => set(Number(currentTarget.value))}
      />
      <output>
        {clockText(player.model.now)} of {clockText(end)}
      </output>
      <label>
        Speed{' '}
        <select value={String(speed)} onChange={({ currentTarget: { value } }) => setSpeed(Number(value))}>
          {[0.1, 0.5, 1, 2, 10].map((times) => (
            <option key={times} value={String(times)}>
              {times}×
            </option>
          ))}
        </select>
      </label>
    </footer>
  );
}
