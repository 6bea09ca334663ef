import { useState } from 'preact/hooks';
import { type Action, commandLine } from '../model/actions.ts';
import type { Session } from './session.ts';

interface Props {
  readonly session: Session;
  /** Null: it cannot be done now; `why` says why. */
  readonly action: Action | null;
  readonly name: string;
  readonly why?: string;
}

/** An action: a button, and the command line to copy. */
export function CommandRow({ session, action, name, why = '' }: Props) {
  if (action === null)
    return (
      <li class="command">
        <button type="button" disabled>
          {name}
        </button>
        <span class="why">{why}</span>
      </li>
    );
  return (
    <li class="command">
      <button type="button" disabled={!session.mayAct} onClick={() => session.act(action)}>
        {name}
      </button>
      <CommandText text={commandLine(action, clusterOption(session))} />
    </li>
  );
}

export function CommandText({ text }: { readonly text: string }) {
  const [copied, setCopied] = useState('');
  const copy = (): void =>
    void navigator.clipboard?.writeText(text).then(
      () => setCopied(text),
      () => setCopied(''),
    );
  return (
    <>
      <code>{text}</code>
      <button type="button" class="copy" aria-label={`Copy ${text}`} onClick={copy}>
        {copied === text ? 'copied' : 'copy'}
      </button>
    </>
  );
}

/** The name that mkctl needs; none when it finds the cluster by itself. */
export function clusterOption({ model }: Session): string {
  const name = model.hello?.cluster ?? 'mk';
  return name === 'mk' || !(model.hello?.supervised ?? false) ? '' : name;
}
