import { useState } from 'preact/hooks';
import type { Session } from './session.ts';

/** Whether this page may act; if not, a field for the token. */
export function TokenForm({ session }: { readonly session: Session }) {
  const [asked, setAsked] = useState(false);
  const [token, setToken] = useState('');
  if (session.mayAct) return <p class="may">acts</p>;
  if (!asked)
    return (
      <p class="may">
        read-only{' '}
        <button type="button" onClick={() => setAsked(true)}>
          Give a token
        </button>
      </p>
    );
  const submit = (event: Event): void => {
    event.preventDefault();
    session.useToken(token.trim());
  };
  return (
    <form class="may" onSubmit={submit}>
      <label>
        Token{' '}
        <input
          type="password"
          autocomplete="off"
          value={token}
          onInput={({ currentTarget }) => setToken(currentTarget.value)}
          aria-describedby="token-text"
        />
      </label>
      <button type="submit">Use it</button>
      <span id="token-text">{session.mayText === '' ? 'mkctl ui --token prints it' : session.mayText}</span>
    </form>
  );
}
