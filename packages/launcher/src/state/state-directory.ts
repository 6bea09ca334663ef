/*
 * Records of running clusters, by which mkctl finds them: one file per cluster, readable only by its owner because it
 * holds the cluster's secret.
 */
import { makeFolder } from '@mk/monitor-proto/io/folder';
import { asError, codeOf } from '@mk/monitor-proto/thrown';
import { existsSync, linkSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory } from '../cli/make-directory.ts';
import { UsageError } from '../cli/usage-error.ts';
import { type ClusterRecord, isAlive, readRecord } from '@mk/libmk/io/cluster-record';
import { isRunning } from '@mk/libmk/io/process-identity';
import { stateDirectoryPath } from '@mk/libmk/io/state-path';
import { forgetSuccession } from './succession.ts';

export class StateDirectory {
  constructor(readonly path: string = stateDirectoryPath()) {}

  /** Records a new cluster; a UsageError when a cluster of that name runs or has left processes behind. */
  claim(record: ClusterRecord): void {
    makeDirectory(this.path, 'MK_STATE_DIR', 0o700);
    const old = this.read(record.name);
    if (old !== null && isAlive(old)) {
      const { name, supervisor } = old;
      const [who, orElse] = isRunning(supervisor)
        ? [`runs already (pid ${supervisor.pid})`, '']
        : ['has left processes behind', `, take it over with mk-launch takeover --name ${name}`];
      throw new UsageError(
        `a cluster named ${name} ${who}; end it with mkctl down --cluster ${name}${orElse}, or choose another --name`,
      );
    }
    this.forgetStale(record.name);
    const draft = this.writeDraft(record);
    try {
      linkSync(draft, this.fileOf(record.name));
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      throw new UsageError(`a cluster named ${record.name} is being started by somebody else; choose another --name`);
    } finally {
      rmSync(draft, { force: true });
    }
  }

  /** Replaces a record atomically. */
  update(record: ClusterRecord): void {
    renameSync(this.writeDraft(record), this.fileOf(record.name));
  }

  remove(name: string): void {
    rmSync(this.fileOf(name), { force: true });
    forgetSuccession(this.path, name);
  }

  /** The record of that name, or null when none can be read. */
  read(name: string): ClusterRecord | null {
    return readRecord(this.fileOf(name));
  }

  /** Every cluster with a running process; deletes the records of others. */
  running(): ClusterRecord[] {
    const records: ClusterRecord[] = [];
    for (const file of this.files()) {
      const record = this.read(file.slice(0, -'.json'.length));
      if (record === null) continue;
      if (isAlive(record)) records.push(record);
      else this.tryRemove(record.name);
    }
    return records;
  }

  /** The files that should hold a record and do not. */
  unreadable(): string[] {
    const paths = this.files().map((file) => join(this.path, file));
    return paths.filter((path) => readRecord(path) === null && existsSync(path));
  }

  private forgetStale(name: string): void {
    try {
      this.remove(name);
    } catch (error) {
      throw new UsageError(
        `${this.fileOf(name)} is left of another user's cluster and cannot be removed (${codeOf(error)}); choose another --name, or set MK_STATE_DIR`,
      );
    }
  }

  /** A record that only its owner may remove stays; it is read as a cluster of which nothing runs. */
  private tryRemove(name: string): void {
    try {
      this.remove(name);
    } catch {
      // its owner's next command deletes it
    }
  }

  fileOf(name: string): string {
    return join(this.path, `${name}.json`);
  }

  private files(): string[] {
    try {
      return readdirSync(this.path)
        .filter((name) => name.endsWith('.json'))
        .sort();
    } catch {
      return [];
    }
  }

  private writeDraft(record: ClusterRecord): string {
    const draft = join(this.path, `.${record.name}.${process.pid}.draft`);
    try {
      makeFolder(this.path, 0o700);
      writeFileSync(draft, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
    } catch (error) {
      rmSync(draft, { force: true });
      throw new UsageError(
        `cannot write into the state directory ${this.path} (${asError(error).message}); set MK_STATE_DIR to one that can be written`,
      );
    }
    return draft;
  }
}
