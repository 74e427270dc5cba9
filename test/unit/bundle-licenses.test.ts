import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { licensesOf } from '../../script/licenses.ts';

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'mw-licenses-'));
});

afterAll(async () => {
  await rm(root, { recursive: true });
});

async function makePackage(
  folder: string,
  description: Record<string, string>,
  files: Record<string, string> = {},
): Promise<string> {
  const path = join(root, 'node_modules', folder);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'package.json'), JSON.stringify(description));
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return path;
}

test('every package of a bundle is named once, with the text of its licence', async () => {
  const joined = await makePackage(
    '@scope/joined',
    { name: '@scope/joined', version: '1.2.3', license: 'MIT' },
    { 'LICENSE.md': 'MIT text\r\n', 'license-checker.js': '// not a licence' },
  );
  const nested = await makePackage(
    '@scope/joined/node_modules/nested',
    { name: 'nested', version: '0.1.0', license: 'Apache-2.0' },
    { LICENSE: 'Apache text', NOTICE: 'a notice' },
  );
  const silent = await makePackage('silent', { name: 'silent', version: '9.0.0' });
  const stats = {
    modules: [
      { nameForCondition: join(root, 'src', 'index.js') },
      { nameForCondition: null },
      { nameForCondition: join(silent, 'index.js') },
      {
        nameForCondition: join(root, 'src', 'other.js'),
        modules: [
          { nameForCondition: join(joined, 'lib', 'a.js') },
          { nameForCondition: join(joined, 'lib', 'b.js') },
          { nameForCondition: join(nested, 'index.js') },
        ],
      },
    ],
  };
  expect(licensesOf(JSON.stringify(stats))).toBe(
    [
      ...['@scope/joined 1.2.3', 'MIT', '', 'MIT text', ''],
      ...['nested 0.1.0', 'Apache-2.0', '', 'Apache text', 'a notice', ''],
      ...['silent 9.0.0', 'The package does not say under which licence it is.', '', ''],
    ].join('\n'),
  );
});
