/** Decodes a client's request from the wire. Pure; refuses malformed ones. */
import { isRecipe } from '@mk/monitor-proto/octopus/names';
import { isRecord, isText, isWhole } from '@mk/monitor-proto/guards';
import { isKeyOf } from '@mk/monitor-proto/tables';
import { OCTOPUS_ERRORS, type OctopusRequest } from '@mk/monitor-proto/octopus/requests';

type Check = (value: unknown) => boolean;

const isId: Check = (value) => isWhole(value);
const maybeFlag: Check = (value) => value === undefined || typeof value === 'boolean';
const maybeTrigger: Check = (value) =>
  value === undefined || (isRecord(value) && isId(value['id']) && isId(value['mode']) && isCase(value['inCase']));

const maybeRecipe: Check = (value) => value === undefined || isRecipe(value);
const maybeText: Check = (value) => value === undefined || isText(value);
const LOOK = { query: isText, sequence: maybeFlag, own: maybeFlag, trigger: maybeTrigger } as const;

const FORMS: { readonly [T in OctopusRequest['type']]: { readonly [field: string]: Check } } = {
  get: LOOK,
  get_names: { ...LOOK, after: maybeText },
  exists: LOOK,
  set: {
    record: isText,
    sequential: maybeFlag,
    transient: maybeFlag,
    exclusive: maybeFlag,
    recipe: maybeRecipe,
    trigger: maybeTrigger,
  },
  del: { query: isText, recipe: maybeRecipe, own: maybeFlag, trigger: maybeTrigger },
  take: { name: isText, lease: maybeFlag, trigger: maybeTrigger },
  predecessor: { name: isText, trigger: maybeTrigger },
  remove_trigger: { id: isId },
  subscribe: { query: isText, id: isId },
  unsubscribe: { id: isId },
  publish: { record: isText },
};

/** The request, or undefined. */
export function decodeOctopusRequest(text: string): OctopusRequest | undefined {
  const value = parsed(text);
  return isOctopusRequest(value) ? value : undefined;
}

function isOctopusRequest(value: unknown): value is OctopusRequest {
  if (!isRecord(value) || !isText(value['type']) || !isKeyOf(FORMS, value['type'])) return false;
  const form: Readonly<Record<string, Check>> = FORMS[value['type']];
  for (const field of Object.keys(value)) if (field !== 'type' && !Object.hasOwn(form, field)) return false;
  return Object.entries(form).every(([field, check]) => check(value[field]));
}

function isCase(value: unknown): boolean {
  return value === 'OK' || (typeof value === 'string' && Object.hasOwn(OCTOPUS_ERRORS, value));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
