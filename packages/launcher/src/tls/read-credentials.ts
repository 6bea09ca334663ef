import * as files from '@mk/libmk/io/credential-files';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';
import { UsageError } from '../cli/usage-error.ts';

/** libmk's `readCredentials` for a command: a missing or wrong file is the user's mistake, a UsageError. */
export function readCredentials(place: files.CredentialPlace, names: readonly string[]): TlsSettings {
  try {
    return files.readCredentials(place, names);
  } catch (error) {
    throw error instanceof files.CredentialsError ? new UsageError(error.message) : error;
  }
}
