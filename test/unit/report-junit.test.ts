import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { JSDOM } from 'jsdom';
import type { SmokeResult } from '../../src/record/status.ts';
import { renderJunit, type JunitInput } from '../../src/report/junit.ts';

const { DOMParser } = new JSDOM('').window;

/** Parses as XML; throws when it is not well-formed. */
function parse(text: string): Document {
  const document = new DOMParser().parseFromString(text, 'application/xml');
  const error = document.querySelector('parsererror');
  if (error !== null) throw new Error(`${error.textContent}\n${text}`);
  return document;
}

function result(change: Partial<SmokeResult> = {}): SmokeResult {
  const usual = {
    id: 'health',
    kind: 'http',
    passed: true,
    observed: 'status 200',
    expected: 'status 200',
  };
  return { ...usual, attempts: 1, seconds: 0.25, ...change };
}

function input(...results: SmokeResult[]): JunitInput {
  const run = { at: '2026-11-22T01:00:05.250Z', phase: 'smoke-test', passed: true, results };
  return { name: 'shop', windowId: 'mw-20261122-010000-1a2b', runs: [run] };
}

/** The shape that readers of JUnit's XML share: element, attributes that it must have, elements within. */
const shape: Record<string, { attributes: readonly string[]; within: readonly string[] }> = {
  testsuites: {
    attributes: ['name', 'tests', 'failures', 'errors', 'skipped', 'time'],
    within: ['testsuite'],
  },
  testsuite: {
    attributes: ['name', 'tests', 'failures', 'errors', 'skipped', 'time', 'timestamp', 'hostname'],
    within: ['testcase'],
  },
  testcase: {
    attributes: ['name', 'classname', 'time'],
    within: ['failure', 'skipped', 'system-out'],
  },
  failure: { attributes: ['message', 'type'], within: [] },
  skipped: { attributes: ['message'], within: [] },
  'system-out': { attributes: [], within: [] },
};

function demandShape(element: Element): void {
  const wanted = shape[element.tagName];
  expect([element.tagName, [...element.getAttributeNames()].sort()]).toEqual([
    element.tagName,
    [...(wanted?.attributes ?? ['unknown element'])].sort(),
  ]);
  for (const child of element.children) {
    expect(wanted?.within).toContain(child.tagName);
    demandShape(child);
  }
}

describe('results as JUnit XML', () => {
  const mixed = input(
    result(),
    result({ id: 'front', passed: false, observed: 'status 500 in 1 ms', attempts: 3 }),
    result({ id: 'page', kind: 'browser', passed: false, skipped: true, observed: 'no Chromium' }),
  );

  test('have the shape that others read', () => {
    demandShape(parse(renderJunit(mixed)).documentElement);
    demandShape(parse(renderJunit({ ...mixed, runs: [] })).documentElement);
  });

  test('count what passed, failed and was skipped', () => {
    const document = parse(renderJunit(mixed));
    for (const name of ['testsuites', 'testsuite']) {
      const element = document.querySelector(name);
      const counts = ['tests', 'failures', 'errors', 'skipped', 'time'].map((key) =>
        element?.getAttribute(key),
      );
      expect(counts).toEqual(['3', '1', '0', '1', '0.750']);
    }
    expect(document.querySelector('testsuite')?.getAttribute('timestamp')).toBe(
      '2026-11-22T01:00:05',
    );
    expect(document.querySelectorAll('failure')).toHaveLength(1);
    expect(document.querySelector('[name=front] failure')?.textContent).toBe(
      'observed: status 500 in 1 ms\nexpected: status 200\nafter 3 tries',
    );
    expect(document.querySelector('[name=page] skipped')?.getAttribute('message')).toBe(
      'no Chromium',
    );
    expect(document.querySelector('[name=health]')?.getAttribute('classname')).toBe(
      'smoke-test.http',
    );
  });

  test('are well-formed whatever is in them, and say the same', () => {
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({
        unit: fc.constantFrom(
          '<',
          '&',
          ']]>',
          '"',
          "'",
          '\u0000',
          '\ud800',
          '\ufffe',
          '\n',
          '\t',
          '-->',
        ),
      }),
    );
    fc.assert(
      fc.property(anything, anything, anything, fc.boolean(), (id, observed, expected, passed) => {
        const text = renderJunit({
          ...input(result({ id, observed, expected, passed })),
          name: id,
        });
        const document = parse(text);
        demandShape(document.documentElement);
        const printable = (value: string): string =>
          Array.from(value.toWellFormed())
            .map((c) =>
              /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(c) ? '\ufffd' : c,
            )
            .join('');
        expect(document.querySelector('testcase')?.getAttribute('name')).toBe(printable(id));
        const told = document.querySelector(passed ? 'system-out' : 'failure')?.textContent;
        expect(told).toContain(
          `observed: ${printable(observed)}\nexpected: ${printable(expected)}`,
        );
      }),
      { numRuns: 300 },
    );
  });
});
