import type { Nanos } from '@mk/monitor-proto/ids';
import type { ClusterConfig } from './cluster-config.ts';

/**
 * The arguments of `mk-launch` that boot a cluster like this one, with `cores` cores: everything that changes its
 * behaviour, but not where it writes.
 */
export function launchWords(config: ClusterConfig, cores = config.cores): readonly string[] {
  const { machineName, timeScale, occupancy, latencyNs, jitterNs, seed, isolation = 'thread' } = config;
  const { leaseMs, sessionTimeoutMs, skbSilenceMs, transport, tls, logLevel } = config;
  const folder = tls?.kind === 'files' ? tls.folder : undefined;
  return [
    ...['--cores', String(cores), '--machine', machineName, '--time-scale', String(timeScale), '--seed', seed],
    ...(occupancy === true ? ['--occupancy'] : []),
    ...given('--latency', latencyNs === 0 ? undefined : durationWord(latencyNs)),
    ...given('--jitter', jitterNs === 0 ? undefined : durationWord(jitterNs)),
    ...given('--lease', leaseMs === undefined ? undefined : `${leaseMs}ms`),
    ...given('--session-timeout', sessionTimeoutMs === undefined ? undefined : `${sessionTimeoutMs}ms`),
    ...given('--skb-silence', skbSilenceMs === undefined ? undefined : `${skbSilenceMs}ms`),
    ...given('--isolation', isolation === 'thread' ? undefined : isolation),
    ...given('--transport', transport),
    ...given('--tls', tls?.kind === 'auto' ? 'auto' : folder),
    ...given('--log-level', logLevel === 'info' ? undefined : logLevel),
  ];
}

function given(option: string, value: string | undefined): readonly string[] {
  return value === undefined ? [] : [option, value];
}

/** Lossless, in an option's form. */
function durationWord(ns: Nanos): string {
  return ns % 1e6 === 0 ? `${ns / 1e6}ms` : `${ns}ns`;
}
