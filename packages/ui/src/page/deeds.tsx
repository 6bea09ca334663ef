import type { Session } from './session.ts';

/** Actions taken from this page and their outcomes, newest first. */
export function Deeds({ session }: { readonly session: Session }) {
  return (
    <>
      <h3 id="deeds-title">Done</h3>
      <ol class="deeds" aria-labelledby="deeds-title" aria-live="polite">
        {session.deeds.map(({ id, line, ok, text }) => (
          <li key={id} class={ok === false ? 'failed' : ''}>
            <code>{line}</code> <span>{ok === null ? 'under way' : text === '' ? 'done' : text}</span>
          </li>
        ))}
      </ol>
    </>
  );
}
