import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { checkFamilies, stepIds } from '../../src/report/step-ids.ts';

const src = fileURLToPath(new URL('../../src', import.meta.url));

/** Sources of what writes steps and checks. */
const written = ['phases', 'modes']
  .flatMap((folder) => readdirSync(`${src}/${folder}`, { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map((entry) => readFileSync(`${entry.parentPath}/${entry.name}`, 'utf8'))
  .join('\n');

// A renamed step would silently turn the lines of the checklist open that it proves.
describe('what the report takes as evidence is written by somebody', () => {
  test.each(Object.values(stepIds))('step %s', (id) => {
    expect(written).toMatch(new RegExp(`['"\`]${id}['"\`]`));
  });

  test.each(Object.entries(checkFamilies))('checks of family %s', (_family, names) => {
    expect(written).toMatch(new RegExp(`['"\`](?:${names.join('|')})(?:['"\`]|-)`));
  });
});
