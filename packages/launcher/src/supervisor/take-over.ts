import { isAlive } from '@mk/libmk/io/cluster-record';
import { CommandError } from '../cli/usage-error.ts';
import { StateDirectory } from '../state/state-directory.ts';
import { readHandover, succeed } from '../state/succession.ts';
import { ClusterSession, type SessionObserver } from './cluster-session.ts';

/**
 * Makes this process the supervisor of a detached cluster whose own was killed (decision 0172). Its processes continue
 * as they are; those that have ended meanwhile are reported. Throws a CommandError, and changes nothing, if there is no
 * such cluster, if its supervisor runs, or if another process is taking it over.
 */
export async function takeOver(
  name: string,
  observer: SessionObserver,
  state = new StateDirectory(),
): Promise<ClusterSession> {
  const record = state.read(name);
  if (record === null || !isAlive(record))
    throw new CommandError(`no process of a cluster named ${name} runs here (looked in ${state.path})`, 2);
  const handover = readHandover(state.path, record);
  succeed(state.path, record);
  if (handover === null)
    throw new CommandError(
      record.detached
        ? `the supervisor of cluster ${name} left too little to go on with; mkctl down --cluster ${name} ends what is left of it`
        : `cluster ${name} was not started with --detach: its processes end with the mk-launch that started them`,
    );
  const session = new ClusterSession(handover.config, observer, state);
  await session.takeOver(record, handover);
  return session;
}
