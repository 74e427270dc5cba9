import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';
import { actionIds } from '../../src/plan/action-ids.ts';
import { inputsOf } from '../../src/plan/actions.ts';
import { planSchema } from '../../src/plan/plan.ts';
import { resolveSettings } from '../../src/plan/resolve.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

const schema = JSON.parse(read('schema/plan.schema.json')) as Record<string, unknown>;
const ajv = new Ajv({
  allErrors: true,
  strict: true,
  strictRequired: false,
  allowUnionTypes: true,
});
addFormats.default(ajv);
const validate = ajv.compile(schema);

function both(text: string): { ajv: boolean; zod: boolean } {
  const plan: unknown = parse(text);
  return { ajv: validate(plan), zod: planSchema.safeParse(plan).success };
}

describe('the example plan', () => {
  const text = read('examples/maintenance.yml');

  test('is valid for editors and for the actions', () => {
    const isValid = validate(parse(text));
    expect(validate.errors ?? []).toEqual([]);
    expect(isValid).toBe(true);
    expect(planSchema.safeParse(parse(text)).error?.issues ?? []).toEqual([]);
  });

  test.each(actionIds)('is all that %s needs', (id) => {
    const sources = { inputs: {}, plan: { path: 'examples/maintenance.yml', text } };
    expect(resolveSettings(id, sources).plan.name).toBe('shop');
  });

  test('names its schema in the first line, relative to itself', () => {
    const [first = ''] = text.split('\n');
    const path = /^# yaml-language-server: \$schema=(\S+)$/.exec(first)?.[1] ?? '';
    expect(join('examples', path)).toBe('schema/plan.schema.json');
  });
});

describe('the plans of the getting-started document', () => {
  const blocks = [...read('docs/getting-started.md').matchAll(/```yaml\n([\s\S]*?)```/g)]
    .map(([, text = '']) => text)
    .filter((text) => /^[a-z]/.test(text));

  test('are all there', () => {
    expect(blocks.length).toBe(7);
  });

  test.each(blocks)('%j', (text) => {
    expect(both(text)).toEqual({ ajv: true, zod: true });
  });

  test('are enough for a whole window', () => {
    const plan = blocks.find((text) => text.startsWith('name:')) ?? '';
    const sources = { inputs: {}, plan: { path: 'maintenance.yml', text: plan } };
    for (const id of actionIds) expect(resolveSettings(id, sources).plan.name).toBe('shop');
  });
});

describe('the schema', () => {
  test('speaks the draft that YAML language servers know, and has no address of its own', () => {
    expect(schema.$schema).toBe('http://json-schema.org/draft-07/schema#');
    expect(schema).not.toHaveProperty('$id');
  });

  test('has nothing left of our own declarations', () => {
    const keys = JSON.stringify(schema);
    expect(keys).not.toContain('"form":');
    expect(keys).not.toContain('"example":');
    expect(keys).not.toContain('__schema');
  });

  test('explains every setting that is an input, and its examples and defaults are valid', () => {
    const properties = schema.properties as Record<
      string,
      { properties?: Record<string, unknown> }
    >;
    for (const { target } of actionIds.flatMap(inputsOf)) {
      if (target.kind !== 'plan') continue;
      const [section = '', key] = target.path;
      const setting = (
        key === undefined ? properties[section] : properties[section]?.properties?.[key]
      ) as {
        description?: string;
        default?: unknown;
        examples?: unknown[];
      };
      expect(setting.description).toBeTruthy();
      const values = [
        ...(setting.examples ?? []),
        ...('default' in setting ? [setting.default] : []),
      ];
      for (const value of values) {
        const plan = key === undefined ? { [section]: value } : { [section]: { [key]: value } };
        expect({ plan, valid: validate(plan) && planSchema.safeParse(plan).success }).toEqual({
          plan,
          valid: true,
        });
      }
    }
  });
});

test.each([
  ['{}'],
  ['name: shop'],
  ['name: web-eu-1\nhost: local'],
  ['public-url: http://127.0.0.1:8080'],
  ['public-url: "https://[::1]:8443/shop?x=1"'],
  ['window: {start: "02:00", days: [monday], time-zone: UTC, duration: 1h30m}'],
  ['window: {start: 2026-11-29T02:00}'],
  ['database: {url: $DATABASE_URL}'],
  ['preflight: {gates: [], free-disk: 1.5 GiB, accept-invalid-indexes: false}'],
  ['enable-maintenance: {bypass-addresses: [192.0.2.7, 192.0.2.0/24, "::1", "2001:db8::/32"]}'],
  ['enable-maintenance: {exempt-paths: [/, /healthz, /status/*]}'],
  ['run-db-maintenance: {tasks: [{task: vacuum, tables: all}, {task: analyze, tables: [a.b]}]}'],
  ['run-db-maintenance: {tasks: [{task: reindex, concurrently: false, stage: closed}]}'],
  [
    'run-db-maintenance: {tasks: [{task: migrate, files: /m}, {task: migrate, command: [make, migrate]}]}',
  ],
  ['run-db-maintenance: {tasks: [{task: sql, sql: select 1, blast: none, stage: online}]}'],
  ['smoke-test: {checks: [{id: a, kind: http, url: /, expect: {status: [200, 304]}}]}'],
  [
    'smoke-test: {checks: [{id: a, kind: http, url: "https://x.example/y", expect: {json: {a: [1, {b: null}]}}}]}',
  ],
  [
    'smoke-test: {checks: [{id: a, kind: sql, query: select 1, equals: 1}, {id: b, kind: sql, query: q, equals: true}]}',
  ],
  ['report: {not-applicable: [{line: "4.7", why: none}], restore-point-retention: 24h}'],
  ['report: {restore-point-retention: 0s}'],
  [
    'run-db-maintenance: {restore-point: command, restore-point-command: {take: [s, a], go-back: [s, b], release: [s, c], on: "ssh://root@db.example.org", environment: [ZFS_POOL], quiesce: false}}',
  ],
])('editor and action both accept %j', (text) => {
  expect(both(text)).toEqual({ ajv: true, zod: true });
});

test.each([
  ['[]'],
  ['name: Shop'],
  ['name: 7'],
  [`name: ${'a'.repeat(41)}`],
  ['nmae: shop'],
  ['host: remote'],
  ['state-dir: relative'],
  ['state-dir: /a/../b'],
  ['public-url: shop.example.org'],
  ['public-url: https://user:word@shop.example.org'],
  ['window: {start: "24:00"}'],
  ['window: {start: 2026-13-01T02:00}'],
  ['window: {days: [sonntag]}'],
  ['window: {days: []}'],
  ['window: {duration: 90}'],
  ['window: {duration: 90 minutes}'],
  ['window: {duration: 0m}'],
  ['contacts: null'],
  ['contacts: {lead: ""}'],
  ['database: {url: "postgres://x"}'],
  ['database: {url: DATABASE_URL}'],
  ['database: {engine: mysql}'],
  ['preflight: {free-disk: 2 GB}'],
  ['preflight: {accept-invalid-indexes: "yes"}'],
  ['backup-db: {jobs: 0}'],
  ['backup-db: {jobs: 1.5}'],
  ['backup-db: {jobs: many}'],
  ['enable-maintenance: {bypass-addresses: [300.0.0.1]}'],
  ['enable-maintenance: {bypass-addresses: [192.0.2.0/40]}'],
  ['enable-maintenance: {exempt-paths: [healthz]}'],
  ['enable-maintenance: {nginx-command: []}'],
  ['enable-maintenance: {site-files: /etc/nginx/nginx.conf}'],
  ['run-db-maintenance: {tasks: [{task: shred}]}'],
  ['run-db-maintenance: {tasks: [{}]}'],
  ['run-db-maintenance: {tasks: [{task: vacuum, files: /x}]}'],
  ['run-db-maintenance: {tasks: [{task: migrate}]}'],
  ['run-db-maintenance: {tasks: [{task: migrate, files: /m, command: [x]}]}'],
  ['run-db-maintenance: {tasks: [{task: migrate, files: /m, stage: online}]}'],
  ['run-db-maintenance: {tasks: [{task: sql}]}'],
  ['run-db-maintenance: {tasks: [{task: analyze, tables: []}]}'],
  ['smoke-test: {checks: [{id: a, kind: http}]}'],
  ['smoke-test: {checks: [{id: a, kind: tcp, url: /}]}'],
  ['smoke-test: {checks: [{id: a, kind: http, url: //evil.example/}]}'],
  ['smoke-test: {checks: [{id: a, kind: http, url: /, expect: {status: 99}}]}'],
  ['smoke-test: {checks: [{id: a, kind: http, url: /, method: get}]}'],
  ['smoke-test: {checks: [{id: a, kind: http, url: /, headers: {"X Y": z}}]}'],
  ['rollback: {on-failure: maybe}'],
  ['report: {attestations: [{line: "16.1", by: x, statement: y}]}'],
  ['report: {attestations: [{line: 1.3, by: x, statement: y}]}'],
  ['report: {restore-point-retention: 0}'],
  ['run-db-maintenance: {restore-point-command: {take: [s]}}'],
  ['run-db-maintenance: {restore-point-command: {take: [], go-back: [s], release: [s]}}'],
  [
    'run-db-maintenance: {restore-point-command: {take: [s], go-back: [s], release: [s], environment: [a-b]}}',
  ],
  ['report: {restore-point-retention: forever}'],
])('editor and action both refuse %j', (text) => {
  expect(both(text)).toEqual({ ajv: false, zod: false });
});
