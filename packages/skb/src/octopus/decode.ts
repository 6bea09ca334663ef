/** A client's request from the text that came over the wire. Pure; refuses what has not the form of a request. */
import { isRecipe } from '@mk/monitor-proto/octopus/names';
import { OCTOPUS_ERRORS, type OctopusRequest } from '@mk/monitor-proto/octopus/requests';

type Check = (value: unknown) => boolean;
type Json = { readonly [field: string]: unknown };

const isText: Check = (value) => typeof value === 'string';
const isId: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const maybeFlag: Check = (value) => value === undefined || typeof value === 'boolean';
const maybeTrigger: Check = (value) =>
  value === undefined || (isObject(value) && isId(value['id']) && isId(value['mode']) && isCase(value['inCase']));

const maybeRecipe: Check = (value) => value === undefined || isRecipe(value);
const LOOK = { query: isText, sequence: maybeFlag, own: maybeFlag, trigger: maybeTrigger } as const;

const FORMS: { readonly [T in OctopusRequest['type']]: { readonly [field: string]: Check } } = {
  get: LOOK,
  get_names: LOOK,
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
  if (!isObject(value) || typeof value['type'] !== 'string' || !Object.hasOwn(FORMS, value['type'])) return undefined;
  const form = FORMS[value['type'] as OctopusRequest['type']];
  for (const field of Object.keys(value)) if (field !== 'type' && !Object.hasOwn(form, field)) return undefined;
  for (const [field, check] of Object.entries(form)) if (!check(value[field])) return undefined;
  return value as unknown as OctopusRequest;
}

function isCase(value: unknown): boolean {
  return value === 'OK' || (typeof value === 'string' && Object.hasOwn(OCTOPUS_ERRORS, value));
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
