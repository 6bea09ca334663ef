/**
 * `@mk/libmk/program`: what a program imports. Everything else it finds on `mk`.
 *
 * @example
 * import { program } from '@mk/libmk/program';
 * export const main = program({ name: 'hello' }, (mk) => mk.console.log(`hello from core ${mk.self.core}`));
 */
export { RIGHTS } from '../capabilities/capabilities.ts';
export type { Client } from '../channels/client.ts';
export type { Connection, Request } from '../channels/connection.ts';
export type { Handlers, Service } from '../channels/service.ts';
export type { DomainStatus } from '../dispatcher/domain-status.ts';
export { PAGE_BYTES } from '../dispatcher/frame-view.ts';
export { defineInterface, event, type Interface, message, type Methods, rpc } from '../interface/interface.ts';
export {
  bool,
  bytes,
  cap,
  choice,
  float,
  giveAwayCap,
  i32,
  int,
  type Kind,
  list,
  optional,
  record,
  text,
  u16,
  u32,
  u8,
} from '../interface/kinds.ts';
export { LARGE_PAGE_BYTES } from '../memory/page-tables.ts';
export type { MemoryKind } from '../memory/map-options.ts';
export type { FaultHandler, Region } from '../memory/regions.ts';
export type { HeldLock } from '../octopus/lock.ts';
export { OctopusError, type OctopusRecord } from '../octopus/octopus.ts';
export type { Process, SpawnOptions } from '../processes/processes.ts';
export { isMkError, MkError } from '../runtime/mk-error.ts';
export type { Mk } from './mk.ts';
export { type Main, type NamedThread, type Program, program, type ProgramSpec } from './program.ts';
