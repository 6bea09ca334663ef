import type { OpenPage, PagePlace } from '../boot/page-place.ts';
import { programDirectory } from '../boot/programs.ts';
import { ClusterClient, type TargetOptions } from '../client/cluster-client.ts';
import { followLogs } from '../ctl/logs.ts';
import { LiveSource } from './live-source.ts';
import { PageFiles } from './page-files.ts';
import { PageServer } from './page-server.ts';
import type { PageSource } from './page-source.ts';

/** Serves the page of a running cluster. */
export function openLivePage(place: PagePlace, target: TargetOptions, env = process.env): Promise<OpenPage> {
  return openPage(place, liveSource(target, env));
}

/** A running cluster as pages see it. Throws when it is not there. */
export function liveSource(target: TargetOptions, env = process.env): LiveSource {
  const open = (): ClusterClient => ClusterClient.open(target, env);
  const cluster = open();
  return new LiveSource({
    name: cluster.name,
    seed: cluster.record?.seed ?? '',
    machine: cluster.record?.machine ?? '',
    token: cluster.controlToken,
    open,
    followLogs(line, signal) {
      return followLogs({ cluster: open() }, line as never, signal);
    },
  });
}

/** Serves the page of any source. */
export async function openPage(
  place: PagePlace,
  source: PageSource,
  directory = programDirectory(),
): Promise<OpenPage> {
  const server = new PageServer(place, new PageFiles(directory), source);
  const url = await server.listen();
  return { url, close: () => server.close() };
}
