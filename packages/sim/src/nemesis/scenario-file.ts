/** Scenarios as `--shrink` writes them. A file may have been edited since, or be something else. */
import { visible } from '@mk/machine/one-line';
import { refuse, type Result, succeed } from '@mk/monitor-proto/result';
import { isListOf, isNumber, isRecord, isText, isWhole } from '@mk/monitor-proto/guards';
import type { CoreId } from '@mk/monitor-proto/ids';
import { limit } from '@mk/monitor-proto/limits';
import { checkFaultRule } from '@mk/monitor-proto/link/fault-rule';
import { isHealTarget } from '@mk/monitor-proto/link/rule-state';
import { isKeyOf } from '@mk/monitor-proto/tables';
import { asError } from '@mk/monitor-proto/thrown';
import type { ProgramLoad, Scenario, SimFault, TimedFault, TimedRequest } from '../engine/scenario.ts';

/** Reads what `scenarioText` wrote; the error is one line that names the place. */
export function parseScenario(text: string): Result<Scenario, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return refuse(`no scenario of --shrink: ${visible(asError(error).message)}`);
  }
  if (!isRecord(value)) return refuse('no scenario of --shrink: it is not an object');
  const wrong = Object.keys(FIELDS).find((field) => isKeyOf(FIELDS, field) && !FIELDS[field](value[field]));
  if (wrong !== undefined) return refuse(`no scenario of --shrink: ${wrong}${wrongItem(value[wrong])}`);
  return isScenario(value) ? succeed(value) : refuse('no scenario of --shrink');
}

export function scenarioText(scenario: Scenario): string {
  return `${JSON.stringify(scenario, null, 1)}\n`;
}

const FIELDS: { readonly [K in keyof Required<Scenario>]: (value: unknown) => boolean } = {
  seed: (value) => isNumber(value) || isText(value),
  cores: (value) => isWhole(value, 1, limit('maxCores')),
  machine: isText,
  faults: (value) => isListOf(value, isTimedFault),
  load: (value) => isListOf(value, isTimedRequest),
  faultsForNs: isTime,
  program: (value) => value === undefined || isProgramLoad(value),
  leaseMs: (value) => value === undefined || (isNumber(value) && value > 0),
};

function isScenario(value: Readonly<Record<string, unknown>>): value is Readonly<Record<string, unknown>> & Scenario {
  return Object.entries(FIELDS).every(([field, check]) => check(value[field]));
}

/** Which entry of a list is wrong, and how. */
function wrongItem(value: unknown): string {
  if (value === undefined) return ' is missing';
  if (!Array.isArray(value)) return ' does not have the right form';
  const at = value.findIndex((item) => !isTimedFault(item) && !isTimedRequest(item));
  return at < 0 ? ' does not have the right form' : `[${at}] does not have the right form`;
}

function isTimedFault(value: unknown): value is TimedFault {
  return isRecord(value) && isTime(value['atNs']) && isFault(value['action']);
}

function isTimedRequest(value: unknown): value is TimedRequest {
  return (
    isRecord(value) &&
    isTime(value['atNs']) &&
    isCoreId(value['core']) &&
    isText(value['verb']) &&
    isRecord(value['args'])
  );
}

function isProgramLoad(value: unknown): value is ProgramLoad {
  if (!isRecord(value)) return false;
  const { program, args, cores, on, limitNs } = value;
  return (
    isText(program) && isListOf(args, isText) && isListOf(cores, isCoreId) && isListOf(on, isCoreId) && isTime(limitNs)
  );
}

type FieldsOf = Readonly<Record<string, unknown>>;

const onCores = ({ cores }: FieldsOf): boolean => isListOf(cores, isCoreId);
const lasting = ({ forNs }: FieldsOf): boolean => forNs === null || isTime(forNs);

const FAULTS: { readonly [T in SimFault['type']]: (fault: FieldsOf) => boolean } = {
  rule: ({ rule }) => typeof checkFaultRule(rule) !== 'string',
  heal: ({ target }) => isHealTarget(target),
  crash: onCores,
  restart: onCores,
  hang: (fault) => onCores(fault) && lasting(fault),
  slow: (fault) => onCores(fault) && lasting(fault) && isNumber(fault['factor']),
  rogue: (fault) => onCores(fault) && lasting(fault) && isText(fault['behaviour']),
  skb_loss: lasting,
  reset: ({ from, to }) => isWhole(from) && isWhole(to),
};

function isFault(value: unknown): value is SimFault {
  if (!isRecord(value)) return false;
  const { type } = value;
  return isText(type) && isKeyOf(FAULTS, type) && FAULTS[type](value);
}

function isCoreId(value: unknown): value is CoreId {
  return isWhole(value, 0, limit('maxCores') - 1);
}

function isTime(value: unknown): value is number {
  return isNumber(value) && Number.isFinite(value) && value >= 0;
}
