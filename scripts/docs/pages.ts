import { join } from 'node:path';
import { CLIENT_VARIABLES, COMPOSE_VARIABLES } from '@mk/launcher/cli/variables';
import { NODE_VARIABLES } from '@mk/launcher/node/node-settings';
import { PLAN } from '@mk/machine/fault-plan-schema';
import { MACHINE } from '@mk/machine/yaml';
import type { ZodType } from 'zod';
import { ERRORS } from '@mk/monitor-proto/errors';
import { INVARIANTS } from '@mk/monitor-proto/invariants/table';
import { LIMITS } from '@mk/monitor-proto/limits';
import { LOG_EVENTS } from '@mk/monitor-proto/log-events';
import { COMMON_FIELDS, logLineSchema, OPTIONAL_FIELDS } from '@mk/monitor-proto/log-schema';
import { FIELD_KINDS } from '@mk/monitor-proto/messages/fields';
import { MESSAGES, PROTOCOL_VERSION, RETIRED_ORDINALS } from '@mk/monitor-proto/messages/table';
import type { MessageSpec } from '@mk/monitor-proto/messages/spec';
import { retypeMatrixMarkdown, typeTableMarkdown } from '@mk/node-kernel/capability/model/retype-matrix';
import { VERBS as SKB_VERBS } from '@mk/skb/control/verbs';
import { SYSTEM_CALLS, type SystemCallSpec } from '@mk/node-kernel/cpu-driver/system-calls';
import { OFFENCES } from '@mk/monitor-proto/offences';
import { ROGUE_BEHAVIOURS } from '@mk/monitor-proto/rogue-behaviours';
import { ROUND_ACTIONS } from '@mk/node-kernel/monitor/agreement/round-actions';
import { SUPERVISOR_VERBS } from '@mk/launcher/supervisor/verbs';
import { commandPage } from './command-pages.ts';
import { freshKernel } from './fresh-machines.ts';
import { limitFiles } from './limit-rows.ts';
import { code, page, table } from './markdown.ts';
import { schemaRows } from './schema-rows.ts';
import { TEST_VARIABLES } from './test-variables.ts';
import { machinesPage } from './machines-page.ts';
import { metricsPage } from './metrics-page.ts';

/** Every page of docs/reference, by file name. The same source yields the same bytes. */
export function pages(root: string): Readonly<Record<string, string>> {
  return {
    'messages.md': messagesPage(),
    'errors.md': errorsPage(),
    'limits.md': limitsPage(root),
    'log-events.md': logEventsPage(),
    'log-events.schema.json': `${JSON.stringify(logLineSchema(), null, 2)}\n`,
    'capability-types.md': capabilityPage(),
    'machines.md': machinesPage(join(root, 'packages', 'launcher', 'machines')),
    'metrics.md': metricsPage(),
    'control-verbs.md': controlPage(),
    'system-calls.md': systemCallsPage(),
    'round-actions.md': roundActionsPage(),
    'invariants.md': invariantsPage(),
    'offences.md': offencesPage(),
    'rogue-behaviours.md': rogueBehavioursPage(),
    'environment.md': environmentPage(),
    'fault-plan.md': keysPage(
      'Fault plans',
      'packages/machine/src/fault-plan-schema.ts',
      'The keys of `mk-launch --plan FILE` and `mk-launch sim --plan FILE`, a YAML file; [how to write one](../guides/write-a-fault-plan.md). The settings of a link are also the options of `mkctl link`.\n',
      PLAN,
    ),
    'machine-file.md': keysPage(
      'Machine files',
      'packages/machine/src/yaml.ts',
      'The keys of a machine of your own, `--machine FILE.yaml`. The shipped ones ([machines.md](machines.md)) are such files, `flat.yaml` with comments.\n',
      MACHINE,
    ),
    'cli.md': commandPage(root),
  };
}

function messagesPage(): string {
  const rows = (Object.entries(MESSAGES) as [string, MessageSpec][])
    .toSorted(([, a], [, b]) => a.ordinal - b.ordinal)
    .map(([name, { ordinal, from, to, lane, fields, doc }]) => [
      ordinal,
      code(name),
      `${from} → ${to}`,
      lane,
      Object.entries(fields)
        .map(([field, kind]) => `${code(field)} ${kind}`)
        .join(', ') || '–',
      doc,
    ]);
  const retired = [...RETIRED_ORDINALS].map(([ordinal, what]) => `${ordinal} (${what})`);
  const kinds = Object.entries(FIELD_KINDS).map(([kind, { doc }]) => [kind, doc]);
  const intro = `Protocol version ${PROTOCOL_VERSION}. In a frame a message is a MessagePack array: its ordinal, then its fields in this order. Ordinals never change. Retired: ${retired.join('; ')}.\n`;
  return page(
    'Messages',
    'packages/monitor-proto/src/messages',
    intro,
    table(['', 'message', 'way', 'lane', 'fields', 'meaning'], rows),
    '## Kinds of field\n',
    table(['kind', 'valid values'], kinds),
  );
}

function errorsPage(): string {
  const rows = Object.entries(ERRORS).map(([name, { code: number, definite, doc }]) => [
    number,
    code(name),
    definite ? 'yes' : 'no',
    doc,
  ]);
  const intro =
    '*Definite*: the operation certainly did not happen. After the others it may have happened or may yet happen.\n';
  return page(
    'Errors',
    'packages/monitor-proto/src/errors.ts and what it includes',
    intro,
    table(['code', 'error', 'definite', 'meaning'], rows),
  );
}

function limitsPage(root: string): string {
  const rows = Object.entries(LIMITS).map(([name, { value, unit, reason }]) => [
    code(name),
    value.toLocaleString('en'),
    unit,
    reason,
  ]);
  const others = limitFiles(root).flatMap(({ path, rows: found }) => [
    `## ${path}\n`,
    table(
      ['limit', 'value', 'why'],
      found.map(({ name, value, reason }) => [code(name), code(value), reason]),
    ),
  ]);
  return page(
    'Limits',
    'every `limits.ts`',
    '## Links, channels and monitors\n',
    table(['limit', 'value', 'unit', 'why'], rows),
    ...others,
  );
}

function logEventsPage(): string {
  const rows = Object.entries(LOG_EVENTS).map(([name, { level, fields, doc }]) => [
    code(name),
    level,
    Object.entries(fields)
      .map(([field, type]) => `${code(field)} ${type}`)
      .join(', ') || '–',
    doc,
  ]);
  const onEvery = Object.entries(COMMON_FIELDS).map(([name, { description = '' }]) => [
    code(name),
    String(description),
  ]);
  const optional = Object.entries(OPTIONAL_FIELDS).map(([name, { description = '' }]) => [
    code(name),
    String(description),
  ]);
  return page(
    'Log events',
    'packages/monitor-proto/src/log-events.ts',
    'One JSON object a line on stdout, and in `DIR/PROCESS.jsonl` with `--log-dir DIR`. JSON Schema: [log-events.schema.json](log-events.schema.json).\n',
    '## On every line\n',
    table(['field', 'meaning'], onEvery),
    '## Where they apply\n',
    table(['field', 'meaning'], optional),
    '## Events\n',
    table(['event', 'level', 'own fields', 'meaning'], rows),
  );
}

function capabilityPage(): string {
  return page(
    'Capability types',
    'packages/node-kernel/src/capability/model/types.ts',
    typeTableMarkdown(),
    '## Which retypes are legal\n',
    'From the row to the column, when nothing else stands against it.\n',
    retypeMatrixMarkdown(),
  );
}

/** Verbs that the process answers before its state machine: core-process.ts, skb-process.ts, link/link-faults.ts. */
const HOST_VERBS = [
  [
    'core, SKB',
    'trace',
    'act, entries, for_ms',
    'act start: notes what the process does, the last `entries`; stop: answers them; time: its clock, nanoseconds.',
  ],
  [
    'core, SKB',
    'log_lines',
    'from',
    'The last log lines from this number on, where the process keeps them (mk-node does): { life, lines, next, lost }.',
  ],
  ['core, SKB', 'shutdown', '', 'Ends the process cleanly.'],
  ['core, SKB', 'fault_add', 'rule', 'Puts a fault rule in force on the links of this process.'],
  ['core, SKB', 'fault_heal', 'target', 'Ends faults: "all", {id} or {from, to}.'],
  [
    'core, SKB',
    'fault_set',
    'version, rules',
    'These rules, each { rule, healed pairs }, and no others are in force; an older version than the last changes nothing.',
  ],
  ['core, SKB', 'faults', '', 'The rules in force, and what they did.'],
] as const;

function controlPage(): string {
  const core = [...freshKernel().table.verbs].map(([verb, { args, doc }]) => [
    code(verb),
    args.map(code).join(', ') || '–',
    doc,
  ]);
  const skb = Object.entries(SKB_VERBS).map(([verb, { doc }]) => [code(verb), doc]);
  const host = HOST_VERBS.map(([who, verb, args, doc]) => [who, code(verb), args === '' ? '–' : code(args), doc]);
  const supervisor = Object.entries(SUPERVISOR_VERBS).map(([verb, { args }]) => [
    code(verb),
    args.map(code).join(', ') || '–',
  ]);
  const intro =
    '`POST /control` with `{"verb": …, "args": {…}}` and `Authorization: Bearer TOKEN`; the token is HMAC-SHA-256 of `mk control` under the cluster’s secret, hex. `mkctl` does it for you.\n';
  return page(
    'Control verbs',
    'the verb tables of each process',
    intro,
    '## A core\n',
    table(['verb', 'arguments', 'meaning'], core),
    '## The SKB\n',
    table(['verb', 'meaning'], skb),
    '## The processes themselves\n',
    table(['process', 'verb', 'arguments', 'meaning'], host),
    '## The supervisor (mk-launch)\n',
    table(['verb', 'arguments'], supervisor),
  );
}

function systemCallsPage(): string {
  const rows = (Object.entries(SYSTEM_CALLS) as [string, SystemCallSpec][]).map(
    ([name, { args, servedBy, acrossCores, doc }]) => [
      code(name),
      Object.entries(args)
        .map(([argument, form]) => `${code(argument)} ${formText(form)}`)
        .join(', ') || '–',
      acrossCores === undefined ? servedBy : `${servedBy}; across cores ${acrossCores}`,
      doc,
    ],
  );
  const intro =
    'What a dispatcher asks of its core. `cpuDriver` answers at once; a service answers when it can. A call of another form is refused with `BAD_SYSTEM_CALL`.\n';
  return page(
    'System calls',
    'packages/node-kernel/src/cpu-driver/system-calls.ts',
    intro,
    table(['call', 'arguments', 'served by', 'meaning'], rows),
  );
}

function formText(form: string | Readonly<Record<string, string>>): string {
  if (typeof form === 'string') return form;
  return `{${Object.entries(form)
    .map(([name, kind]) => `${name} ${kind}`)
    .join(', ')}}`;
}

function roundActionsPage(): string {
  const rows = Object.entries(ROUND_ACTIONS).map(([name, { ordinal, phases, doc }]) => [
    ordinal,
    code(name),
    phases.join(' or '),
    doc,
  ]);
  const intro =
    'What an agreement round can be about. Ordinals go over the wire and never change. In a round of one phase everybody acts; in one of two everybody prepares, then everybody commits or aborts.\n';
  return page(
    'Round actions',
    'packages/node-kernel/src/monitor/agreement/round-actions.ts',
    intro,
    table(['', 'action', 'phases', 'meaning'], rows),
  );
}

/** A page listing the keys of a file that users write. */
function keysPage(title: string, source: string, intro: string, schema: ZodType): string {
  const rows = schemaRows(schema).map(([key, takes, absent, meaning]) => [code(key), takes, absent, meaning]);
  return page(title, source, intro, table(['key', 'takes', 'when absent', 'meaning'], rows));
}

function offencesPage(): string {
  const rows = Object.entries(OFFENCES).map(([name, { proof, doc }]) => [code(name), proof ? 'yes' : 'no', doc]);
  const intro =
    'What a peer can be caught at: `mkctl offences`, log event `peer_offence`, metric `mk_peer_offences_total`. Proof: no honest monitor does it, whatever links and cores fail. [What a rogue monitor can do](../guides/rogue-monitors.md).\n';
  return page(
    'Offences',
    'packages/monitor-proto/src/offences.ts',
    intro,
    table(['offence', 'proof', 'meaning'], rows),
  );
}

function rogueBehavioursPage(): string {
  const rows = Object.entries(ROGUE_BEHAVIOURS).map(([name, { doc }]) => [code(name), doc]);
  const intro =
    'How a monitor can be made to misbehave: `behaviour` of `rogue` in fault plans, and by options of `mkctl rogue`. [What a rogue monitor can do](../guides/rogue-monitors.md).\n';
  return page(
    'Rogue behaviours',
    'packages/monitor-proto/src/rogue-behaviours.ts',
    intro,
    table(['behaviour', 'what it does'], rows),
  );
}

function invariantsPage(): string {
  const rows = Object.entries(INVARIANTS).map(([number, { statement, kept, seen }]) => [
    code(number),
    statement,
    code(`packages/${kept}`),
    seen,
  ]);
  const intro =
    'What always holds. A number means one thing, everywhere it is cited. `step`: asserted after each step of each simulated core; `cheap`: in every process, too. A process in which an assertion fails writes `assertion_failed` with its state, and ends with exit status 70.\n';
  return page(
    'Invariants',
    'packages/monitor-proto/src/invariants',
    intro,
    table(['', 'what holds', 'kept by', 'a breach is seen by'], rows),
  );
}

function environmentPage(): string {
  const rowsOf = (variables: Readonly<Record<string, { readonly otherwise: string; readonly doc: string }>>): string =>
    table(
      ['variable', 'when absent', 'meaning'],
      Object.entries(variables).map(([name, { otherwise, doc }]) => [
        code(name),
        otherwise === '' ? '–' : code(otherwise),
        doc,
      ]),
    );
  return page(
    'Environment',
    'packages/launcher/src/node/node-settings.ts and packages/launcher/src/cli/variables.ts',
    '## mk-node, in containers\n',
    'What `mk-node skb` and `mk-node core` read; docker-compose.yml sets them. An empty variable counts as absent.\n',
    rowsOf(NODE_VARIABLES),
    '## docker-compose.yml\n',
    'Passes the variables above on, and reads\n',
    rowsOf(COMPOSE_VARIABLES),
    '## mk-launch and mkctl\n',
    rowsOf(CLIENT_VARIABLES),
    '## Tests and scripts\n',
    rowsOf(TEST_VARIABLES),
  );
}
